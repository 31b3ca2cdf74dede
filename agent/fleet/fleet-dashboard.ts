/**
 * "kinwatch: fleet": what a fleet's owner looks at each morning. From above: is there anything, does every host report; how
 * grave, by which rules; who installed what; which parents the fleet has never had; the hosts, the longest silent first; what
 * was lost; the alerts themselves.
 */
import type { Dashboard, Panel } from "./dashboard.ts";
import { count, lastValue, max, overTime, sum, terms, uniqueCount } from "./lens-columns.ts";
import { donutPanel, metricPanel, seriesPanel, shareOfPanel, tablePanel } from "./lens-panel.ts";

const month = "now-30d"; // a host that went silent, and a parent that is new, are seen against what was before
const reportsWithin = "10m"; // a health document comes each minute
const most = 1_000; // as many terms as Lens lets a person ask for

const numbers: readonly Panel[] = [
  {
    id: "alerts",
    title: "Alerts",
    place: { x: 0, y: 0, w: 10, h: 6 },
    lens: metricPanel(
      {
        view: "alerts",
        columns: {
          alerts: count("Alerts"),
          grave: count("High or critical", { filter: "event.severity >= 73" }),
        },
      },
      { prefix: "high or critical" },
    ),
  },
  {
    id: "installations",
    title: "Installations",
    place: { x: 10, y: 0, w: 10, h: 6 },
    lens: metricPanel(
      {
        view: "events",
        query: "event.type: installation",
        columns: {
          installations: count("Installations"),
          unverified: count("Not verified", { filter: 'kinwatch.signature: "not verified"' }),
        },
      },
      { prefix: "without a verified signature" },
    ),
  },
  {
    id: "hosts-reporting",
    title: "Hosts reporting",
    place: { x: 20, y: 0, w: 10, h: 6 },
    since: month,
    lens: shareOfPanel(
      {
        view: "health",
        columns: {
          reporting: uniqueCount("Reporting", "host.id", { lately: reportsWithin }),
          known: uniqueCount("Seen in 30 days", "host.id"),
        },
      },
      "in the last 10 minutes, of those seen in 30 days",
    ),
  },
  {
    id: "hosts-with-loss",
    title: "Hosts that lost something",
    place: { x: 30, y: 0, w: 9, h: 6 },
    lens: metricPanel(
      {
        view: "health",
        columns: {
          hosts: uniqueCount("Hosts", "host.id", { filter: "kinwatch.health.lost > 0" }),
          lost: sum("Lost", "kinwatch.health.lost"),
        },
      },
      { prefix: "lost in all" },
    ),
  },
  {
    id: "refused",
    title: "Refused by the server",
    place: { x: 39, y: 0, w: 9, h: 6 },
    lens: metricPanel({
      view: "health",
      columns: { refused: max("Refused, the most of a host", "kinwatch.health.outbox.set_aside") },
    }),
  },
];

const alerts: readonly Panel[] = [
  {
    id: "severity-over-time",
    title: "Severity over time",
    place: { x: 0, y: 6, w: 24, h: 11 },
    lens: seriesPanel(
      {
        view: "alerts",
        columns: {
          when: overTime(),
          low: count("Low", { filter: "event.severity: 21" }),
          medium: count("Medium", { filter: "event.severity: 47" }),
          high: count("High", { filter: "event.severity: 73" }),
          critical: count("Critical", { filter: "event.severity: 99" }),
        },
      },
      {
        type: "bar_stacked",
        x: "when",
        colors: { low: "#54B399", medium: "#D6BF57", high: "#DA8B45", critical: "#E7664C" },
      },
    ),
  },
  {
    id: "alerts-by-rule",
    title: "Alerts by rule",
    place: { x: 24, y: 6, w: 24, h: 11 },
    lens: seriesPanel(
      {
        view: "alerts",
        columns: { rule: terms("Rule", "rule.name", 10, "alerts"), alerts: count("Alerts") },
      },
      { type: "bar_horizontal", x: "rule" },
    ),
  },
  {
    id: "alerts-by-parent",
    title: "Alerts by parent",
    place: { x: 0, y: 17, w: 22, h: 12 },
    lens: tablePanel(
      {
        view: "alerts",
        columns: {
          parent: terms("Parent", "process.parent.executable", 100, "alerts"),
          alerts: count("Alerts"),
          hosts: uniqueCount("Hosts", "host.id"),
          last: lastValue("Last", "@timestamp"),
        },
      },
      { columnId: "alerts", direction: "desc" },
      { alerts: 80, hosts: 80 },
    ),
  },
  {
    id: "alerts-by-package",
    title: "Alerts by package",
    place: { x: 22, y: 17, w: 14, h: 12 },
    lens: tablePanel(
      {
        view: "alerts",
        columns: {
          package: terms("Package", "package.name", 100, "alerts"),
          alerts: count("Alerts"),
          hosts: uniqueCount("Hosts", "host.id"),
        },
      },
      { columnId: "alerts", direction: "desc" },
      { alerts: 80, hosts: 80 },
    ),
  },
  {
    id: "alerts-by-outcome",
    title: "What came of it",
    place: { x: 36, y: 17, w: 12, h: 12 },
    lens: donutPanel(
      {
        view: "alerts",
        columns: { outcome: terms("Outcome", "kinwatch.outcome", 8, "alerts"), alerts: count("Alerts") },
      },
      "outcome",
    ),
  },
];

/** What the fleet has never had before is what it had in the last day alone. */
function newInFleet(label: string, field: string) {
  return tablePanel(
    {
      view: "events",
      query: "event.type: installation",
      columns: {
        who: terms(label, field, most),
        installations: count("In 30 days"),
        lately: count("In the last day", { lately: "1d" }),
        hosts: uniqueCount("Hosts", "host.id"),
        last: lastValue("Last", "@timestamp"),
      },
    },
    { columnId: "installations", direction: "asc" },
    { installations: 90, lately: 110, hosts: 80 },
  );
}

const parents: readonly Panel[] = [
  {
    id: "parents",
    title: "Rare parents first; new in the fleet if both counts are alike",
    place: { x: 0, y: 29, w: 24, h: 12 },
    since: month,
    lens: newInFleet("Parent", "process.parent.executable"),
  },
  {
    id: "scripts",
    title: "Rare scripts first; new in the fleet if both counts are alike",
    place: { x: 24, y: 29, w: 24, h: 12 },
    since: month,
    lens: newInFleet("Script", "kinwatch.ancestry.script"),
  },
];

const hosts: readonly Panel[] = [
  {
    id: "hosts",
    title: "Hosts, the longest silent first",
    place: { x: 0, y: 41, w: 28, h: 14 },
    since: month,
    lens: tablePanel(
      {
        view: "health",
        columns: {
          host: terms("Host", "host.name", most),
          last: lastValue("Last heard of", "@timestamp"),
          source: lastValue("Source", "kinwatch.health.source"),
          version: lastValue("Version", "agent.version"),
          lost: sum("Lost in 30 days", "kinwatch.health.lost"),
          lag: lastValue("Behind", "kinwatch.health.lag_ms"),
          waiting: lastValue("To be delivered", "kinwatch.health.outbox.waiting"),
          refused: lastValue("Refused", "kinwatch.health.outbox.set_aside"),
        },
      },
      { columnId: "last", direction: "asc" },
      { version: 80, lost: 110, lag: 90, waiting: 110, refused: 80 },
    ),
  },
  {
    id: "loss-over-time",
    title: "Lost, by host",
    place: { x: 28, y: 41, w: 20, h: 7 },
    lens: seriesPanel(
      {
        view: "health",
        query: "kinwatch.health.lost > 0",
        columns: {
          host: terms("Host", "host.name", 10, "lost"),
          when: overTime(),
          lost: sum("Lost", "kinwatch.health.lost"),
        },
      },
      { type: "bar_stacked", x: "when", split: "host" },
    ),
  },
  {
    id: "lag-over-time",
    title: "How far reading is behind, by host",
    place: { x: 28, y: 48, w: 20, h: 7 },
    lens: seriesPanel(
      {
        view: "health",
        columns: {
          host: terms("Host", "host.name", 10, "lag"),
          when: overTime(),
          lag: max("Behind", "kinwatch.health.lag_ms"),
        },
      },
      { type: "line", x: "when", split: "host" },
    ),
  },
];

const documents: readonly Panel[] = [
  {
    id: "alert-list",
    title: "Alerts, the latest first",
    place: { x: 0, y: 55, w: 48, h: 14 },
    search: "kinwatch-search-alerts",
  },
  {
    id: "health-list",
    title: "Health findings",
    place: { x: 0, y: 69, w: 48, h: 10 },
    search: "kinwatch-search-health",
  },
];

export const fleetDashboard: Dashboard = {
  id: "kinwatch-dashboard-fleet",
  title: "kinwatch: fleet",
  description:
    "Alerts, installations and who did them, hosts that report and hosts that are silent, and what was lost.",
  since: "now-24h",
  view: "all",
  controls: [
    { id: "host", title: "Host", field: "host.name" },
    { id: "namespace", title: "Namespace", field: "data_stream.namespace" },
  ],
  panels: [...numbers, ...alerts, ...parents, ...hosts, ...documents],
};

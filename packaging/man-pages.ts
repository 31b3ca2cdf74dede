/** kinwatch(1), of the commands themselves, and kinwatch.toml(5), of the configuration's keys: man(7). */
import { stringify } from "smol-toml";
import { configKeys } from "../agent/config.ts";
import { alertMessageId } from "../agent/outputs/journald.ts";
import type { Key } from "../agent/toml-schema.ts";
import packageFile from "../package.json" with { type: "json" };
import type { CommandNode } from "./command-tree.ts";

const files: readonly (readonly [string, string])[] = [
  ["/etc/kinwatch/kinwatch.toml", "the configuration: kinwatch.toml(5)"],
  ["/etc/kinwatch/rules.d/*.toml", "rules beside the built-in ones"],
  ["/etc/kinwatch/exceptions.d/*.toml", "what is not to raise alerts"],
  ["/etc/audit/rules.d/90-kinwatch.rules", "the audit rules: executions, with the key kinwatch"],
  ["/var/lib/kinwatch", "what was learned, the alerts, what waits to be sent, and how far the log is read"],
  ["/usr/share/doc/kinwatch/docs", "the pages that are named docs/… here; the first is docs/install.md"],
];

const environment: readonly (readonly [string, string])[] = [
  [
    "CREDENTIALS_DIRECTORY",
    "where systemd puts the credentials api_key and prevalence_api_key: systemd.exec(5)",
  ],
  ["NOTIFY_SOCKET, WATCHDOG_USEC", "how systemd is told that the service is ready and at work: sd_notify(3)"],
  ["HTTPS_PROXY, HTTP_PROXY, NO_PROXY", "the way to Elasticsearch and Kibana"],
  ["NO_COLOR, FORCE_COLOR", "whether a terminal is shown colours"],
  ["SUDO_USER", "the author of an exception that names none"],
  ["HOME", "of explain-command: whose aliases of rpm count"],
];

/** What for, and what is typed. */
const examples: readonly (readonly [string, string])[] = [
  [
    "After the installation: can this host be watched, and does an alert come?",
    "kinwatch check\nkinwatch selftest",
  ],
  [
    "What was taken for granted at the first start; one look is worth it:",
    "kinwatch baseline list --learned",
  ],
  [
    "What raised, in the store and in the journal, there each with what to do about it:",
    `kinwatch alerts\njournalctl -x MESSAGE_ID=${alertMessageId}`,
  ],
  [
    "All of one alert; then what to ask about it, by its rule:",
    "kinwatch alerts show 019a2f\nkinwatch rules show package-installed-by-new-parent",
  ],
  [
    "It was all right, and will be for a month: nothing that this deployment tool starts is to raise.",
    'kinwatch exceptions add --from 019a2f \\\n  --reason "we move to the new tool" --expires 30d',
  ],
  ["What would have raised before kinwatch was here:", "kinwatch replay /var/log/audit/audit.log*"],
];

const statuses: readonly (readonly [string, string])[] = [
  ["0", "done; of check: the host is watched"],
  ["1", "a finding: see each command"],
  ["2", "wrong use, input or configuration, or a state that is damaged"],
  ["3", "the host cannot be watched"],
  ["70", "a defect of kinwatch"],
];

const signals: readonly (readonly [string, string])[] = [
  ["SIGHUP", "reads the files of rules and exceptions again: systemctl reload kinwatch"],
  ["SIGTERM, SIGINT", "ends; what it had not finished is read again at the next start"],
];

export function commandsPage(tree: readonly CommandNode[], epoch: number): string {
  return page([
    title("kinwatch", 1, "System Administration", epoch),
    section(
      "Name",
      text("kinwatch - alerts when a package is installed by a parent that this host has not seen doing so"),
    ),
    section("Synopsis", `.B kinwatch\n.I command\n[\\fIoption\\fR ...] [\\fIoperand\\fR ...]`),
    section(
      "Description",
      text(
        "kinwatch watches process executions, recognises installations of packages, above all by rpm, resolves the whole chain of parents, and raises an alert when a package is installed by a parent that this host has not seen installing packages before. An alert is an ECS document: in the journal at once, and in Elasticsearch if that is configured.",
      ),
      paragraph(
        "It is a service, kinwatch.service. What it has seen, it knows: the same parent raises once. The commands below work beside the service; most need root, or the user kinwatch.",
      ),
    ),
    section(
      "Options",
      item(
        bold("-h, --help"),
        text("what a command does, with its options and examples: also kinwatch COMMAND --help"),
      ),
      item(bold("-V, --version"), text("the version")),
    ),
    section("Commands", ...tree.map(commandPart)),
    section("Exit status", ...statuses.map(([term, meaning]) => item(bold(term), text(meaning)))),
    section(
      "Signals",
      text("Of the service:"),
      ...signals.map(([term, meaning]) => item(bold(term), text(meaning))),
    ),
    section("Environment", ...environment.map(([term, meaning]) => item(bold(term), text(meaning)))),
    section("Files", ...files.map(([term, meaning]) => item(italic(term), text(meaning)))),
    section(
      "Examples",
      ...examples.flatMap(([why, words], index) => [index === 0 ? text(why) : paragraph(why), typed(words)]),
    ),
    section(
      "See also",
      text("kinwatch.toml(5), auditd(8), auditctl(8), augenrules(8), journalctl(1), rpm(8)"),
    ),
  ]);
}

function commandPart(node: CommandNode): string {
  const head = `.SS ${quoted(`${node.words} ${node.usage}`.trim())}`;
  const options = node.options.filter(({ flags }) => !flags.includes("--help"));
  return [
    head,
    sentence(node.description),
    ...node.operands.map(({ name, description }) => item(italic(name), text(description))),
    ...options.map(({ term, description, default: value }) =>
      item(bold(term), text(value === undefined ? description : `${description}; default: ${value}`)),
    ),
    ...(node.after === "" ? [] : node.after.split("\n\n").map(block)),
    ...node.children.map(commandPart),
  ].join("\n");
}

/** A paragraph of a help text: lines that are indented by four are typed, such by two say what for, or what a word means. */
function block(lines: string): string {
  const parts = lines.split(/\n(?= {2,4}\S)|(?<=\n {4}[^\n]*)\n(?! {4})/);
  return parts
    .map((part) => {
      const [, term, meaning] = /^ {2}(\S+) {2,}(\S.*)$/s.exec(part) ?? [];
      if (term !== undefined && meaning !== undefined) return item(bold(term), text(oneLine(meaning)));
      return part.startsWith("    ") ? typed(part.replaceAll(/^ {4}/gm, "")) : paragraph(oneLine(part));
    })
    .join("\n");
}

function oneLine(words: string): string {
  return words.trim().replaceAll(/\n\s*/g, " ");
}

function typed(lines: string): string {
  return `.RS 4n\n${example(lines)}\n.RE`;
}

export function configurationPage(epoch: number): string {
  return page([
    title("kinwatch.toml", 5, "File Formats", epoch),
    section("Name", text("kinwatch.toml - configuration of kinwatch")),
    section("Synopsis", italic("/etc/kinwatch/kinwatch.toml")),
    section(
      "Description",
      text(
        "A TOML file (https://toml.io), UTF-8, 1 MiB at most. Every key has a default, and kinwatch runs without the file. A key that is not known is refused, and so is a file that others than root could change; all mistakes are told at once, with line and column. It is read at the start: systemctl restart kinwatch.",
      ),
    ),
    section("Keys", ...configKeys.map(keyPart)),
    section(
      "Example",
      typed(
        '[learn]\nfrom = "7d"\n\n[output.elasticsearch]\nenabled = true\nurls = ["https://es.example.org:9200"]',
      ),
    ),
    section("See also", text("kinwatch(1)")),
  ]);
}

function keyPart({ path, purpose, expects, unit, reason, default: value }: Key): string {
  const name = path.join(".");
  const written = stringify({ value })
    .trim()
    .replace(/^value = /, "");
  return [
    `.TP\n${bold(name)}`,
    text(purpose),
    `.br\nValues: ${text(expects)}${unit === undefined ? "" : ` (${text(unit)})`}`,
    `.br\nDefault: ${text(written)}${reason === undefined ? "" : `: ${text(reason)}`}`,
  ].join("\n");
}

/** @param epoch seconds: when what is described was made */
function title(name: string, number: number, manual: string, epoch: number): string {
  const date = new Date(epoch * 1_000).toISOString().slice(0, 10);
  const head = `.TH ${quoted(name)} ${number} ${date} ${quoted(`kinwatch ${packageFile.version}`)} ${quoted(manual)}`;
  return `${head}\n.nh\n.ad l`; // no hyphens and no blanks that are not ours: paths and addresses are copied from here
}

function page(parts: readonly string[]): string {
  return `${parts.join("\n")}\n`;
}

function section(name: string, ...parts: readonly string[]): string {
  return [`.SH ${quoted(name.toUpperCase())}`, ...parts].join("\n");
}

function item(term: string, meaning: string): string {
  return `.TP\n${term}\n${meaning}`;
}

function paragraph(words: string): string {
  return `.PP\n${text(words)}`;
}

/** As it stands, without the line breaks of a page. */
function example(words: string): string {
  const lines = words.split("\n").map((line) => text(line));
  return `.nf\n${lines.join("\n")}\n.fi`;
}

function sentence(words: string): string {
  return text(words.endsWith(".") ? words : `${words}.`);
}

function bold(words: string): string {
  return `\\fB${text(words)}\\fR`;
}

function italic(words: string): string {
  return `\\fI${text(words)}\\fR`;
}

function quoted(words: string): string {
  return `"${text(words).replaceAll('"', "\\(dq")}"`;
}

/** Nothing in it is a request or an escape, and what is typed is ASCII: groff_char(7). */
function text(words: string): string {
  return words
    .replaceAll("\\", "\\e")
    .replaceAll("-", "\\-")
    .replaceAll("…", "...")
    .replace(/^([.'])/, "\\&$1");
}

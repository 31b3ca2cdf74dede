/**
 * Draws a dashboard's layout out of the text that Kibana is sent: each panel in its place on the grid, with its title, its kind
 * and what it asks for. For docs/, where nobody has a Kibana; a person sees at a glance what would be odd.
 */
import { columnsOf, panelsOf, type ReadColumn, type ReadObject, type ReadPanel } from "./kibana.ts";

const CELL_WIDTH = 25; // pixels of a 48th
const ROW_HEIGHT = 20; // as Kibana's
const GAP = 4; // on each side of a panel
const LETTER = 6.2; // of a letter of 11 pixels, on the average and a little more
const LINE = 15;
const HEAD = 40; // the dashboard's own title

const kinds: Readonly<Record<string, string>> = {
  lnsMetric: "number",
  lnsDatatable: "table",
  lnsXY: "series",
  lnsPie: "donut",
  search: "saved search",
};

/** @param objects all that is sent: panels refer to searches */
export function dashboardSvg(dashboard: ReadObject, objects: readonly ReadObject[]): string {
  const panels = panelsOf(dashboard);
  const rows = Math.max(...panels.map(({ gridData: { y, h } }) => y + h));
  const [width, height] = [48 * CELL_WIDTH, rows * ROW_HEIGHT + HEAD];
  const title = escaped(String(dashboard.attributes["title"]));
  return [
    `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 ${width} ${height}" width="${width}" height="${height}" font-family="sans-serif" font-size="11">`,
    `<title>The layout of the dashboard ${title}</title>`,
    `<rect width="${width}" height="${height}" fill="#f1f4f8"/>`,
    `<text x="${GAP * 2}" y="25" font-size="17" font-weight="bold">${title}</text>`,
    ...panels.flatMap((panel) => panelLines(panel, dashboard, objects)),
    "</svg>",
    "",
  ].join("\n");
}

function panelLines(panel: ReadPanel, dashboard: ReadObject, objects: readonly ReadObject[]): string[] {
  const { x, y, w, h } = panel.gridData;
  const [left, top] = [x * CELL_WIDTH + GAP, y * ROW_HEIGHT + HEAD + GAP];
  const [width, height] = [w * CELL_WIDTH - 2 * GAP, h * ROW_HEIGHT - 2 * GAP];
  const lettersMax = Math.floor((width - 16) / LETTER);
  const linesMax = Math.floor((height - 40) / LINE);
  const all = contentOf(panel, dashboard, objects).flatMap((line) => wrapped(line, lettersMax));
  const lines =
    all.length > linesMax
      ? [...all.slice(0, linesMax - 1), `and ${all.length - linesMax + 1} more lines`]
      : all;
  return [
    `<rect x="${left}" y="${top}" width="${width}" height="${height}" rx="4" fill="#fff" stroke="#c3ccd8"/>`,
    `<text x="${left + 8}" y="${top + 18}" font-weight="bold">${cut(panel.title, Math.floor(lettersMax * 0.93))}</text>`,
    `<text x="${left + 8}" y="${top + 34}" fill="#5a6878">${cut(subtitleOf(panel), lettersMax)}</text>`,
    ...lines.map(
      (line, index) =>
        `<text x="${left + 8}" y="${top + 52 + index * LINE}" xml:space="preserve">${cut(line, lettersMax)}</text>`,
    ),
  ];
}

function subtitleOf({ type, embeddableConfig: { attributes, timeRange } }: ReadPanel): string {
  const kind = kinds[attributes?.visualizationType ?? type] ?? type;
  return timeRange === undefined ? kind : `${kind}, since ${timeRange.from}`;
}

function contentOf(panel: ReadPanel, dashboard: ReadObject, objects: readonly ReadObject[]): string[] {
  const lens = panel.embeddableConfig.attributes;
  if (lens !== undefined) return columnsOf(lens).map(([, column]) => columnLine(column));
  const name = `${panel.panelIndex}:${panel.panelRefName}`;
  const reference = dashboard.references.find((one) => one.name === name);
  const search = objects.find(({ type, id }) => type === reference?.type && id === reference.id);
  const columns = (search?.attributes["columns"] ?? []) as string[];
  return [`${search?.attributes["title"]}: ${columns.join(", ")}`];
}

function columnLine({ label, operationType, sourceField, filter }: ReadColumn): string {
  const of = sourceField === "___records___" ? "" : ` of ${sourceField}`;
  const where = filter === undefined || operationType === "last_value" ? "" : `, where ${filter.query}`;
  return `${label}: ${operationType.replaceAll("_", " ")}${of}${where}`;
}

/** Between words; a word that is too long is cut. */
function wrapped(text: string, lettersMax: number): string[] {
  const lines: string[] = [];
  for (const word of text.split(" ")) {
    const last = lines.at(-1);
    if (last !== undefined && last.length + 1 + word.length <= lettersMax)
      lines[lines.length - 1] = `${last} ${word}`;
    else lines.push(lines.length === 0 ? word : `  ${word}`);
  }
  return lines;
}

function cut(text: string, lettersMax: number): string {
  return escaped(text.length > lettersMax ? `${text.slice(0, lettersMax - 1)}…` : text);
}

function escaped(text: string): string {
  return text.replace(/[&<>"']/g, (sign) => `&#${sign.charCodeAt(0)};`);
}

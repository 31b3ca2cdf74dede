/** An alert for a person at a terminal, of the document alone: the same for a live alert and for a stored one. */
import { styleText } from "node:util";
import type { AlertDocument, AncestorDocument, SoftwareUpdateDocument } from "../alert/alert-document.ts";
import { printable } from "../printable.ts";

export interface TextOptions {
  readonly width: number; // columns
  readonly colour: boolean;
}

const LABEL = 10; // columns of the names at the left
const ANCESTORS_SHOWN = 12; // as many as fit a screen with the rest; the document has all
const PACKAGES_SHOWN = 8;
const severities: Readonly<Record<number, string>> = { 21: "LOW", 47: "MEDIUM", 73: "HIGH", 99: "CRITICAL" };

const flagWords: Readonly<Record<string, string>> = {
  altDb: "another database",
  altRoot: "another root",
  justdb: "database entry only, no files",
  macroCommand: "a macro runs a command",
  macroOverride: "macros changed on the command line",
  nodb: "files only, no database entry",
  noDigest: "digests not checked",
  noPlugins: "plug-ins off: no audit record",
  noScripts: "scriptlets off",
  noSignature: "signatures not checked",
  pipe: "output piped to a command",
  posixUnknown: "POSIXLY_CORRECT would change its meaning",
  remoteOperand: "from the network",
  sourcePackage: "a source package",
};

export function alertText(alert: AlertDocument, options: TextOptions): string {
  const { kinwatch, process, event } = alert;
  const severity = severities[event.severity] ?? String(event.severity);
  const users = [
    alert.user?.name ?? alert.user?.id,
    kinwatch.login_user && `logged in as ${kinwatch.login_user}`,
  ];
  const lines = [
    paint(`● ${severity}  ${alert.rule.name}`, ["bold", "yellow"], options),
    ...field("when", localTime(alert["@timestamp"]), options),
    ...field("host", alert.host.name, options),
    ...field("user", users.filter(Boolean).join(", ") || "unknown", options),
    ...field("command", process.command_line ?? process.executable ?? `pid ${process.pid}`, options),
    ...(process.working_directory === undefined ? [] : field("in", process.working_directory, options)),
    ...outcomeLines(alert, options),
    ...flagLines(alert, options),
    ...kinwatch.new_terms.flatMap(({ field: name, value }) =>
      field(
        name === "process.parent" ? "new parent" : "new script",
        value.filter(Boolean).join(" "),
        options,
      ),
    ),
    ...(kinwatch.parent_unresolved_reason === undefined
      ? []
      : field("parent", `unknown: ${kinwatch.parent_unresolved_reason}`, options)),
    ...tree(alert, options),
    ...field("alert", event.id, options),
  ];
  return `${lines.join("\n")}\n`;
}

/** What became of an alert that was shown before. */
export function outcomeText(alert: AlertDocument, options: TextOptions): string {
  const lines = [...outcomeLines(alert, options), ...field("alert", alert.event.id, options)];
  return `${lines.join("\n")}\n`;
}

/** One line for a list. */
export function alertLine(alert: AlertDocument, { width }: TextOptions): string {
  const { kinwatch, event, process } = alert;
  const parent = kinwatch.ancestry[0];
  const who = parent?.script ?? parent?.executable ?? "unknown parent";
  const what =
    alert.package === undefined ? (process.command_line ?? "") : `${alert.package.name} ${kinwatch.outcome}`;
  return printable(`${event.id}  ${alert["@timestamp"].slice(0, 19)}Z  ${who}: ${what}`, width);
}

function outcomeLines(alert: AlertDocument, options: TextOptions): string[] {
  const { outcome, software_update: packages } = alert.kinwatch;
  const words = {
    pending: "not known yet",
    none: "no record of it came: it failed, rpm's audit plug-in is missing, or was switched off",
    unavailable: "not known: this source has no outcome records",
    installed: "done",
    failed: "failed",
    partly: "done in part",
  } as const;
  const shown = packages
    .slice(0, PACKAGES_SHOWN)
    .flatMap((update) => field("package", packageText(update), options));
  const more = packages.length - PACKAGES_SHOWN;
  return [
    ...field("outcome", words[outcome], options),
    ...shown,
    ...(more > 0 ? field("", `and ${more} more`, options) : []),
  ];
}

function packageText({
  nevra,
  operation,
  outcome,
  signature,
  signature_required,
}: SoftwareUpdateDocument): string {
  const verified =
    signature === "verified"
      ? "signature verified"
      : signature === "unknown"
        ? "signature unknown"
        : "no verified signature";
  const demanded = signature !== "verified" && signature_required === false ? ", none required" : "";
  return `${nevra}  ${operation} ${outcome}, ${verified}${demanded}`;
}

function flagLines(alert: AlertDocument, options: TextOptions): string[] {
  const { rpm } = alert.kinwatch;
  if (rpm === undefined) return field("tool", "known by its records alone (dnf and the like)", options);
  const words = rpm.flags.map((flag) => flagWords[flag] ?? flag);
  if (rpm.certainty === "possible") words.push("an alias of this host may change its meaning");
  return words.length === 0 ? [] : field("notable", words.join("; "), options);
}

/** From the oldest known ancestor down to the tool, with the images that each step went through in one process. */
function tree(alert: AlertDocument, options: TextOptions): string[] {
  const { ancestry, previous_images: previous } = alert.kinwatch;
  const chain = [...ancestry].reverse();
  const cut = Math.max(0, chain.length - ANCESTORS_SHOWN);
  const shown = cut === 0 ? chain : [...chain.slice(0, 1), ...chain.slice(cut + 1)];
  const steps = shown.map((ancestor) => stepText(ancestor));
  if (cut > 0) steps.splice(1, 0, `… ${cut} more`);
  const { pid, command_line, executable } = alert.process;
  const images = [...previous].reverse().map((image) => `${imageText(image)}, then in the same process`);
  const tool = `${pid}  ${command_line ?? executable ?? ""}`;
  const top = chain[0]?.pid === 1 ? [] : ["? (not known)"];
  return [...top, ...steps, ...images, tool].flatMap((step, depth) => {
    const indent = `${" ".repeat(Math.min(depth, 12) * 2)}${depth === 0 ? "" : "└ "}`;
    const text = printable(step, Math.max(20, options.width - LABEL - 2 - indent.length));
    return [`${paint((depth === 0 ? "ancestry" : "").padStart(LABEL), ["dim"], options)}  ${indent}${text}`];
  });
}

function stepText(ancestor: AncestorDocument): string {
  const how = ancestor.provenance === "recorded" ? "" : `  [${ancestor.provenance}]`;
  return `${ancestor.pid}  ${imageText(ancestor)}${how}`;
}

function imageText({ executable, script, command_line }: AncestorDocument): string {
  if (script !== undefined) return `${script} (${executable ?? "?"})`;
  return executable ?? command_line ?? "?";
}

/** A name at the left, text at the right, broken between words where it can be. */
function field(name: string, text: string, options: TextOptions): string[] {
  const room = Math.max(20, options.width - LABEL - 2);
  const lines: string[] = [];
  let rest = printable(text, 4_096);
  while (rest.length > room) {
    const blank = rest.lastIndexOf(" ", room);
    const end = blank > room / 2 ? blank : room;
    lines.push(rest.slice(0, end));
    rest = rest.slice(end).trimStart();
  }
  lines.push(rest);
  return lines.map(
    (line, index) => `${paint((index === 0 ? name : "").padStart(LABEL), ["dim"], options)}  ${line}`,
  );
}

function paint(text: string, style: Parameters<typeof styleText>[0], { colour }: TextOptions): string {
  return colour ? styleText(style, text, { validateStream: false }) : text;
}

function localTime(timestamp: string): string {
  const time = new Date(timestamp);
  const offset = -time.getTimezoneOffset();
  const local = new Date(time.getTime() + offset * 60_000).toISOString().replace("T", " ").slice(0, -1);
  const hours = String(Math.trunc(Math.abs(offset) / 60)).padStart(2, "0");
  return `${local} ${offset < 0 ? "-" : "+"}${hours}:${String(Math.abs(offset) % 60).padStart(2, "0")}`;
}

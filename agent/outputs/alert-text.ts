/** An alert for a person at a terminal, of the document alone: the same for a live alert and for a stored one. */
import { styleText } from "node:util";
import type {
  AlertDocument,
  AncestorDocument,
  OutcomeDocument,
  OwnersDocument,
  PackageOwnerDocument,
  PrevalenceDocument,
  SoftwareUpdateDocument,
} from "../alert/alert-document.ts";
import { outcomeSentence, signatureWords } from "../alert/ecs-outcome.ts";
import { printable } from "../printable.ts";
import { newParentRule } from "../rules/new-parent.ts";
import { fit, wrap } from "./text-width.ts";

export interface TextOptions {
  readonly width: number; // columns
  readonly colour: boolean;
}

type Style = Parameters<typeof styleText>[0];
const plain: Style = [];

const LABEL = 10; // columns of the names at the left, two more before the text
const FIELD_MAX = 400; // characters of one field, 6 lines of 80 columns; the document has more
const ANCESTORS_SHOWN = 12; // as many as fit a screen with the rest
const PACKAGES_SHOWN = 8;
const INDENTS_MAX = 12;

const severities: Readonly<Record<number, readonly [string, Style]>> = {
  21: ["LOW", "bold"],
  47: ["MEDIUM", ["bold", "yellow"]],
  73: ["HIGH", ["bold", "red"]],
  99: ["CRITICAL", ["bold", "red"]],
};

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
  const { kinwatch, process, event, host } = alert;
  const [severity, style] = severities[event.severity] ?? [String(event.severity), "bold"];
  const where = host?.name === undefined ? "" : ` on ${host.name}`;
  const lines = [
    paint(fit(`● ${severity}  ${alert.rule.name}`, options.width), style, options),
    ...summaryLines(alert, options),
    ...field("when", `${localTime(alert["@timestamp"])}${where}`, options),
    ...field("command", process.command_line ?? process.executable ?? `pid ${process.pid}`, options, "bold"),
    ...(process.working_directory === undefined ? [] : field("in", process.working_directory, options)),
    ...containerLines(alert, options),
    ...field("user", userText(alert), options),
    ...parentLines(alert, options),
    ...ownerLines(alert, options),
    ...chainLines(alert, options),
    ...notableLines(alert, options),
    ...outcomeLines(kinwatch, options),
    ...fleetLines(kinwatch.prevalence, options),
    ...field("alert", event.id, options, "dim"),
  ];
  return `${lines.join("\n")}\n`;
}

/** What became of an alert that was shown before, and which that was. */
export function outcomeText(alert: AlertDocument, options: TextOptions): string {
  const [who, what] = [whoText(alert), alert.process.command_line ?? alert.process.executable ?? ""];
  const lines = [
    paint(
      `○ ${fit(printable(outcomeSentence(alert.kinwatch), 500), options.width - 2)}`,
      outcomeStyle(alert.kinwatch),
      options,
    ),
    ...(alert.kinwatch.software_update.length > 1 ? packageLines(alert.kinwatch, options) : []),
    ...field("by", `${who}: ${what}`, options),
    ...ownerLines(alert, options),
    ...fleetLines(alert.kinwatch.prevalence, options),
    ...field("alert", alert.event.id, options, "dim"),
  ];
  return `${lines.join("\n")}\n`;
}

/** Without a word where the fleet is not asked. */
function fleetLines(prevalence: PrevalenceDocument | undefined, options: TextOptions): string[] {
  if (prevalence === undefined) return [];
  const { status, days, hosts = 0, fleet_hosts: fleet = 0 } = prevalence;
  if (status !== "known") return field("fleet", `not known: ${status}`, options, "dim");
  return field(
    "fleet",
    `seen on ${hosts} of ${fleet} other hosts in ${days} days`,
    options,
    hosts === 0 ? "bold" : plain,
  );
}

/** One line for a list; of the rule that most alerts come from, its name is left out. The beginning of an id is enough for `kinwatch alerts show`: a ms and 16 bits. */
export function alertLine(alert: AlertDocument, { width }: TextOptions): string {
  const { kinwatch, event, process, rule } = alert;
  const what = kinwatch.package_count > 0 ? outcomeSentence(kinwatch) : (process.command_line ?? "");
  const when = localTime(alert["@timestamp"]).slice(0, 16);
  const [severity = String(event.severity)] = severities[event.severity] ?? [];
  const asks = rule.id === newParentRule.id ? "" : `${rule.name}: `;
  const line = `${event.id.slice(0, 17)}  ${when}  ${severity.toLowerCase().padEnd(8)}  ${asks}${whoText(alert)}: ${what}`;
  return fit(printable(line, 2 * width), width);
}

/** The chain in a line, the parent first: "update.sh < bash < sshd < systemd". */
export function shortChain(ancestry: readonly AncestorDocument[]): string {
  return ancestry
    .map(({ script, executable }) => (script ?? executable ?? "?").split("/").at(-1))
    .join(" < ");
}

function whoText({ kinwatch }: AlertDocument): string {
  const parent = kinwatch.ancestry[0];
  return parent?.script ?? parent?.executable ?? "unknown parent";
}

function userText({ user, process, kinwatch }: AlertDocument): string {
  const login = kinwatch.login_user?.name ?? kinwatch.login_user?.id;
  const tty = process.tty?.char_device;
  const parts = [
    user?.name ?? user?.id ?? "unknown",
    login === undefined ? "" : `logged in as ${login}`,
    tty?.major === 136 ? `on pts/${tty.minor}` : "",
  ];
  return parts.filter(Boolean).join(", ");
}

function containerLines({ container, kinwatch }: AlertDocument, options: TextOptions): string[] {
  if (kinwatch.container_from === undefined) return [];
  const { id, name, image, runtime } = container ?? {};
  const reason = kinwatch.container_unknown_reason;
  const words = [
    name ?? id?.slice(0, 12) ?? "one that is not known",
    ...(image === undefined ? [] : [`of ${image.name}`]),
    ...(runtime === undefined ? [] : [`(${runtime})`]),
    ...(reason === undefined ? [] : [`: ${reason}`]),
  ];
  return field(
    "container",
    words.join(" ").replace(" :", ":"),
    options,
    reason === undefined ? plain : "yellow",
  );
}

function parentLines(alert: AlertDocument, options: TextOptions): string[] {
  const { parent_unresolved_reason: reason, new_terms: terms } = alert.kinwatch;
  const unknown = reason === undefined ? [] : field("parent", `unknown: ${reason}`, options, "red");
  const tool = alert.process.name ?? "the tool";
  const fresh = terms.flatMap(({ field: name, value }) => {
    const [executable = "", script = ""] = value;
    const who = script === "" ? executable : `${script} (${executable})`;
    if (name === "process.previous") return field("new", `${who}, which became ${tool}`, options, "bold");
    if (name === "process.service") return field("new", `${who}, a service`, options, "bold");
    if (name === "process.parent")
      return field("new parent", who || "none: it was started from outside of what is seen", options, "bold");
    return newLines(name, value, options);
  });
  return [...unknown, ...fresh];
}

/** Whose program the parent is. Nothing where nobody asked. */
function ownerLines({ kinwatch: { ancestry, outcome } }: AlertDocument, options: TextOptions): string[] {
  const [parent] = ancestry;
  if (parent?.package_owner === undefined) return [];
  const { script_package_owner: script, package_owner: program } = parent;
  if (outcome === "pending" && program.result === "unknown") return []; // it comes with the outcome
  const text = [
    ...(script === undefined ? [] : [`script: ${ownerWords(script)}`]),
    `${script === undefined ? "parent: " : "interpreter: "}${ownerWords(program)}`,
  ].join("; ");
  const isForeign = [script, program].some((owner) => owner?.result === "none");
  return field("owned by", text, options, isForeign ? "yellow" : plain);
}

/** "bash-5.1.8-9.el9.x86_64", "no package", "not known: …" */
export function ownerWords({ result, nevra, name, version, reason }: PackageOwnerDocument): string {
  if (result === "none") return "no package";
  if (result === "unknown") return `not known: ${reason}`;
  return nevra ?? `${name} ${version}`;
}

/** Behind a program in the chain, where it is known. */
function ownedBy({ package_owner: program, script_package_owner: script }: OwnersDocument): string {
  const owner = script ?? program;
  return owner === undefined || owner.result === "unknown" ? "" : `  of ${owner.name ?? "no package"}`;
}

/** Of a rule in a file: a line for each of its fields. */
function newLines(fields: string, value: readonly string[], options: TextOptions): string[] {
  const names = fields.split(",");
  return value.flatMap((word, index) =>
    field(index === 0 ? "new" : "with", `${names[index]}  ${word}`, options, index === 0 ? "bold" : plain),
  );
}

/** Alerts that were held back. */
function summaryLines({ kinwatch: { summary } }: AlertDocument, options: TextOptions): string[] {
  if (summary === undefined) return [];
  const { held, from, until } = summary;
  const text = `${held} more alerts of this rule between ${localTime(from)} and ${localTime(until)} were stored and not shown one by one; this is the first of them`;
  return field("held", text, options, "yellow");
}

function notableLines(
  { kinwatch: { rpm, executable_deleted: deleted, outcome } }: AlertDocument,
  options: TextOptions,
): string[] {
  const words = (rpm?.flags ?? []).map((flag) => flagWords[flag] ?? flag);
  if (rpm === undefined && outcome !== "not applicable")
    words.push("rpm was not run: known by the records of its library (dnf and the like)");
  if (rpm?.certainty === "possible")
    words.push("an alias of this host, or arguments that were cut, may change its meaning");
  if (deleted) words.push("the program's file was deleted");
  return words.length === 0 ? [] : field("notable", words.join("; "), options, "yellow");
}

const outcomeWords: Readonly<Record<OutcomeDocument["outcome"], string>> = {
  pending: "not known yet",
  none: "no record of it came: it failed, or rpm's audit plug-in is missing or was switched off",
  unavailable: "not known: this source has no outcome records",
  "not applicable": "",
  installed: "installed",
  failed: "failed",
  partly: "installed in part",
};

function outcomeLines(kinwatch: OutcomeDocument, options: TextOptions): string[] {
  if (kinwatch.outcome === "not applicable") return [];
  const words = field("outcome", outcomeWords[kinwatch.outcome], options, outcomeStyle(kinwatch));
  return [...words, ...packageLines(kinwatch, options)];
}

function packageLines({ software_update: updates }: OutcomeDocument, options: TextOptions): string[] {
  const shown = updates
    .slice(0, PACKAGES_SHOWN)
    .flatMap((update) => field("package", packageText(update), options, packageStyle(update)));
  const more = updates.length - PACKAGES_SHOWN;
  return more > 0 ? [...shown, ...field("", `and ${more} more`, options)] : shown;
}

function packageText({
  nevra,
  operation,
  outcome,
  signature,
  signature_required,
}: SoftwareUpdateDocument): string {
  const done = {
    install: "installed",
    update: "updated",
    remove: "removed",
    unknown: "installed or removed",
  }[operation];
  const result =
    outcome === "success"
      ? done
      : outcome === "failure"
        ? `${operation} failed`
        : `${operation}, result unknown`;
  if (operation === "remove") return `${nevra}  ${result}`;
  const demanded = signature === "not verified" && signature_required === false ? " (none is required)" : "";
  return `${nevra}  ${result}, ${signatureWords[signature]}${demanded}`;
}

function packageStyle({ operation, outcome, signature }: SoftwareUpdateDocument): Style {
  if (outcome === "failure") return "red";
  return operation === "remove" || signature === "verified" ? plain : "yellow";
}

function outcomeStyle({ outcome }: OutcomeDocument): Style {
  return outcome === "failed" || outcome === "partly" ? "red" : outcome === "installed" ? "bold" : plain;
}

/** From the oldest known ancestor down to the tool, with the images that its own process went through. */
function chainLines(alert: AlertDocument, options: TextOptions): string[] {
  const { ancestry, previous_images: previous } = alert.kinwatch;
  const chain = [...ancestry].reverse();
  const cut = Math.max(0, chain.length - ANCESTORS_SHOWN);
  const steps = chain.map(({ pid, provenance, ...image }) => {
    const how = provenance === "inferred" ? "  (inferred)" : "";
    return `${pid}  ${imageText(image)}${how}${ownedBy(image)}`;
  });
  if (cut > 0) steps.splice(1, cut, `… ${cut} more`);
  const { pid, executable } = alert.process;
  const images = [...previous]
    .reverse()
    .map((image) => `${pid}  ${imageText(image)}${ownedBy(image)}, which became`);
  const top =
    chain[0]?.pid === 1 || (chain.length === 0 && alert.kinwatch.parent_provenance !== "unresolved")
      ? []
      : ["?"];
  const all = [...top, ...steps, ...images, `${pid}  ${executable ?? "?"}${ownedBy(alert.kinwatch)}`];
  return all.flatMap((step, depth) => {
    const indent = depth === 0 ? "" : `${"  ".repeat(Math.min(depth, INDENTS_MAX) - 1)}└ `;
    const room = options.width - LABEL - 2 - indent.length;
    return [`${label(depth === 0 ? "chain" : "", options)}${indent}${fit(printable(step, FIELD_MAX), room)}`];
  });
}

function imageText({
  executable,
  script,
  command_line,
  executable_deleted,
}: Partial<AncestorDocument>): string {
  const program = `${executable ?? command_line ?? "?"}${executable_deleted ? ", deleted" : ""}`;
  return script === undefined ? program : `${script} (${program})`;
}

/** A name at the left, text at the right, on as many lines as it takes. */
function field(name: string, text: string, options: TextOptions, style: Style = plain): string[] {
  const lines = wrap(printable(text, FIELD_MAX), Math.max(20, options.width - LABEL - 2));
  return lines.map(
    (line, index) => `${label(index === 0 ? name : "", options)}${paint(line, style, options)}`,
  );
}

function label(name: string, options: TextOptions): string {
  return `${paint(name.padStart(LABEL), "dim", options)}  `;
}

function paint(text: string, style: Style, { colour }: TextOptions): string {
  return colour && style !== plain ? styleText(style, text, { validateStream: false }) : text;
}

function localTime(timestamp: string): string {
  const time = new Date(timestamp);
  const offset = -time.getTimezoneOffset();
  const local = new Date(time.getTime() + offset * 60_000).toISOString().replace("T", " ").slice(0, -1);
  const hours = String(Math.trunc(Math.abs(offset) / 60)).padStart(2, "0");
  return `${local} ${offset < 0 ? "-" : "+"}${hours}:${String(Math.abs(offset) % 60).padStart(2, "0")}`;
}

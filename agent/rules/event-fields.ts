/**
 * The fields that queries can ask about, read straight from an image: a document is only made of what is told. Names and values
 * are those of the documents (docs/alert-fields.md; a test compares the two), but whole: what is cut there for length is not here.
 * Which of them a source can give: field-sources.ts.
 */
import { loginNameOf, type NameUser, userNameOf } from "../events/account-names.ts";
import { baseName } from "../events/audit-exec.ts";
import { asTyped } from "../events/command-line.ts";
import { type EventHost, hostOf } from "../events/event-host.ts";
import type { SoftwareUpdate } from "../events/exec-event.ts";
import { deviceOf, isInteractive } from "../events/terminal.ts";
import { containerOf, type ImageContainer, type ReadContainer } from "../lineage/container-of.ts";
import { entityOf } from "../lineage/entity-id.ts";
import { entryLeader } from "../lineage/entry-leader.ts";
import { leaderAmong, type ReadDetails } from "../lineage/process-details.ts";
import { type ProcessImage, previousImages } from "../lineage/process-image.ts";
import type { ReadOwners } from "../packages/image-owners.ts";
import { type Installation, rpmCommandOf } from "../packages/installation.ts";
import { type Outcome, outcomeOf, pendingOutcome, signatureOf, splitNevra } from "../packages/outcome.ts";
import type { RpmAliases } from "../packages/rpm-aliases.ts";
import type { RpmCommandLine } from "../packages/rpm-command-line.ts";
import type { KqlField, KqlFields } from "./kql-match.ts";
import type { KqlType, KqlValue } from "./kql-value.ts";
import { parentProvenance, toldParent, unresolvedReason } from "./new-parent.ts";

/** What a rule is asked about. */
export type RuleSubject = SubjectContext &
  (
    | { readonly kind: "exec" | "uid_change"; readonly installation: undefined }
    | { readonly kind: "installation" | "outcome"; readonly installation: Installation }
  );

export type SubjectKind = RuleSubject["kind"]; // uid_change: the same execution, if uidChanges(image)

interface SubjectContext {
  readonly image: ProcessImage;
  readonly ancestors: () => readonly ProcessImage[]; // of the image, its parent first
  readonly host: EventHost | undefined; // this host; undefined: stored logs, whose records alone name one
  readonly provider: string; // the source's name
  readonly aliases: RpmAliases;
  readonly nameUser: NameUser;
  readonly readDetails: ReadDetails | undefined; // undefined: nobody can tell of a stored log's processes
  readonly readContainer?: ReadContainer | undefined; // left out: as above
  readonly readOwners?: ReadOwners | undefined; // for exceptions: rules are asked too early; left out: as above
}

type Value = KqlValue | readonly KqlValue[] | undefined;
type Field<Thing> = readonly [type: KqlType, read: (thing: Thing, subject: RuleSubject) => Value];
type Fields<Thing> = Readonly<Record<string, Field<Thing>>>;

/** The same in all events of a kind. */
export const constants: Readonly<Record<SubjectKind, Readonly<Record<string, readonly string[]>>>> = {
  exec: constantsOf(["process"], ["start"], "exec"),
  uid_change: constantsOf(["process"], ["change"], "uid_change"),
  installation: constantsOf(["package", "process"], ["installation", "start"], "package-installed"),
  outcome: constantsOf(["package", "process"], ["installation", "start"], "package-installed"),
};

function constantsOf(category: readonly string[], type: readonly string[], action: string) {
  return {
    "event.kind": ["event"],
    "event.category": category,
    "event.type": type,
    "event.action": [action],
    "event.module": ["kinwatch"],
    "event.dataset": ["kinwatch.events"],
    "host.os.type": ["linux"],
  };
}

/** Whether the process runs as another user than before: set by itself or by the program's file, and seen at an execution. */
export function uidChanges({ exec, previous }: ProcessImage): boolean {
  const before = previous?.exec.uid;
  return before !== undefined && exec.uid !== undefined && before !== exec.uid;
}

const ofProcess: Fields<ProcessImage> = {
  entity_id: ["keyword", entityOf],
  pid: ["long", ({ exec }) => exec.pid],
  name: ["keyword", ({ exec }) => baseName(exec.executable) || undefined],
  executable: ["keyword", ({ exec }) => exec.executable || undefined],
  args: ["keyword", ({ exec }) => exec.args],
  args_count: ["long", ({ exec }) => exec.args.length || undefined],
  command_line: ["wildcard", commandLineOf],
  working_directory: ["keyword", ({ exec }) => exec.workingDirectory],
  start: ["date", startOf],
  interactive: ["boolean", ({ exec }) => isInteractive(exec)],
  "tty.char_device.major": ["long", ({ exec }) => exec.tty && deviceOf(exec.tty)?.major],
  "tty.char_device.minor": ["long", ({ exec }) => exec.tty && deviceOf(exec.tty)?.minor],
  "user.id": ["keyword", ({ exec }) => numeral(exec.uid)],
  "user.name": ["keyword", ({ exec }, { nameUser }) => userNameOf(exec, nameUser)],
  "group.id": ["keyword", (image, { readDetails }) => numeral(readDetails?.(image)?.gid)],
};

/** Rules that go by host need one also in a stored log, which is of one host if it names none. Its documents have no id. */
export const UNNAMED = "unnamed";

/** What ECS has for process.previous. */
const ofPrevious = pick(ofProcess, ["args", "args_count", "executable"]);

const ofAncestor: Fields<ProcessImage> = {
  ...pick(ofProcess, ["entity_id", "pid", "executable", "command_line"]),
  executable_deleted: ["boolean", ({ exec }) => exec.deleted || undefined],
  script: ["keyword", ({ exec }) => exec.script],
  started: ["date", startOf],
  provenance: ["keyword", ({ provenance }) => provenance],
};

const ofHost: Fields<EventHost> = {
  id: ["keyword", ({ id, name }) => id ?? name ?? UNNAMED],
  name: ["keyword", ({ name }) => name],
  hostname: ["keyword", ({ hostname }) => hostname],
  architecture: ["keyword", ({ architecture }) => architecture],
  mac: ["keyword", ({ mac }) => mac],
  "os.platform": ["keyword", ({ os }) => os?.platform],
  "os.name": ["keyword", ({ os }) => os?.name],
  "os.version": ["keyword", ({ os }) => os?.version],
  "os.kernel": ["keyword", ({ os }) => os?.kernel],
  "os.full": ["keyword", ({ os }) => os?.full],
};

const ofContainer: Fields<ImageContainer> = {
  "container.id": ["keyword", ({ id }) => id],
  "container.name": ["keyword", ({ name }) => name],
  "container.runtime": ["keyword", ({ runtime }) => runtime],
  "container.image.name": ["keyword", ({ image }) => image],
  "kinwatch.container_from": ["keyword", ({ from }) => from],
  "kinwatch.container_unknown_reason": ["keyword", ({ reason }) => reason],
};

const ofCommand: Fields<RpmCommandLine> = {
  program: ["keyword", ({ program }) => program],
  mode: ["keyword", ({ mode }) => mode],
  flags: ["keyword", ({ flags }) => flags],
  test: ["boolean", ({ test }) => test],
  operands: ["keyword", ({ packages }) => packages],
  root: ["keyword", ({ root }) => root ?? undefined],
  dbpath: ["keyword", ({ dbpath }) => dbpath ?? undefined],
  certainty: ["keyword", ({ certainty }) => certainty],
};

const ofUpdate: Fields<SoftwareUpdate> = {
  operation: ["keyword", ({ operation }) => operation],
  nevra: ["keyword", ({ nevra }) => nevra],
  name: ["keyword", ({ nevra }) => splitNevra(nevra).name],
  version: ["keyword", ({ nevra }) => splitNevra(nevra).version],
  architecture: ["keyword", ({ nevra }) => splitNevra(nevra).architecture],
  signature: ["keyword", ({ signatureVerified }) => signatureOf([signatureVerified])],
  signature_required: ["boolean", ({ signatureRequired }) => signatureRequired],
  root: ["keyword", ({ root }) => root],
  outcome: [
    "keyword",
    ({ success }) => (success === undefined ? "unknown" : success ? "success" : "failure"),
  ],
};

const ofPackage: Fields<SoftwareUpdate> = {
  name: ofUpdate["name"] as Field<SoftwareUpdate>,
  version: ["keyword", ({ nevra }) => splitNevra(nevra).version || undefined],
  architecture: ["keyword", ({ nevra }) => splitNevra(nevra).architecture || undefined],
  type: ["keyword", () => "rpm"],
  installed: ["date", ({ success, timeMs }) => (success === true ? timeMs : undefined)],
};

const ofOutcome: Fields<Outcome> = {
  "event.outcome": ["keyword", ({ eventOutcome }) => eventOutcome],
  "kinwatch.outcome": ["keyword", ({ outcome }) => outcome],
  "kinwatch.signature": ["keyword", ({ signature }) => signature],
  "kinwatch.package_count": ["long", ({ packageCount }) => packageCount],
};

const ofSubject: Fields<RuleSubject> = {
  "@timestamp": ["date", ({ image, installation }) => installation?.timeMs ?? image.exec.timeMs],
  "event.provider": ["keyword", ({ provider }) => provider],
  "user.id": ["keyword", ({ image }) => numeral(image.exec.uid)],
  "user.name": ["keyword", ({ image, nameUser }) => userNameOf(image.exec, nameUser)],
  "process.entry_leader.entry_meta.type": [
    "keyword",
    ({ image, ancestors }) => entryLeader(image, ancestors()).type,
  ],
  "process.env_vars": ["keyword", ({ image, readDetails }) => readDetails?.(image)?.environment],
  "process.thread.capabilities.effective": [
    "keyword",
    ({ image, readDetails }) => readDetails?.(image)?.effectiveCapabilities,
  ],
  "process.thread.capabilities.permitted": [
    "keyword",
    ({ image, readDetails }) => readDetails?.(image)?.permittedCapabilities,
  ],
  "related.user": ["keyword", usersOf],
  "related.hosts": ["keyword", (subject) => thisHostOf(subject).name],
  "kinwatch.login_user.id": ["keyword", ({ image }) => numeral(image.exec.auid)],
  "kinwatch.login_user.name": ["keyword", ({ image, nameUser }) => loginNameOf(image.exec, nameUser)],
  "kinwatch.login_session": ["keyword", ({ image }) => numeral(image.exec.ses)],
  "kinwatch.parent_provenance": ["keyword", ({ image }) => parentProvenance(image)],
  "kinwatch.parent_unresolved_reason": ["keyword", ({ image }) => unresolvedReason(image)],
  "kinwatch.executable_deleted": ["boolean", ({ image }) => image.exec.deleted || undefined],
  "kinwatch.arguments_from": ["keyword", ({ image }) => image.exec.argumentsFrom],
  "kinwatch.arguments_complete": ["boolean", ({ image }) => image.exec.argumentsComplete],
  "kinwatch.audit.serial": [
    "long",
    ({ image: { exec } }) => (exec.source !== "audit-log" ? undefined : exec.serial),
  ],
  "kinwatch.audit.node": [
    "keyword",
    ({ image: { exec } }) => (exec.source !== "audit-log" ? undefined : exec.node),
  ],
};

const all: ReadonlyMap<string, KqlField<RuleSubject>> = new Map([
  ...Object.keys(constants.exec).map(constant),
  ...placed("", ofSubject, (subject) => subject),
  ...placed("process.", ofProcess, ({ image }) => image),
  ...placed("process.parent.", ofProcess, ({ image }) => toldParent(image)),
  ...placed("process.previous.", ofPrevious, ({ image }) => image.previous),
  ...placed(
    "process.entry_leader.",
    ofProcess,
    ({ image, ancestors }) => entryLeader(image, ancestors()).image,
  ),
  ...placed("process.session_leader.", ofProcess, (subject) => leaderOf(subject, "session")),
  ...placed("process.group_leader.", ofProcess, (subject) => leaderOf(subject, "processGroup")),
  ...placed("host.", ofHost, thisHostOf),
  ...placed("", ofContainer, ({ image, ancestors, readContainer }) =>
    containerOf(image, ancestors(), readContainer),
  ),
  ...placed("kinwatch.rpm.", ofCommand, commandOf),
  ...placed("", ofOutcome, outcomeFor),
  ...placed("package.", ofPackage, (subject) => outcomeFor(subject)?.first),
  ...listed("kinwatch.ancestry.", ofAncestor, ({ ancestors }) => ancestors()),
  ...listed("kinwatch.previous_images.", ofAncestor, ({ image }) => previousImages(image)),
  ...listed("kinwatch.software_update.", ofUpdate, ({ installation }) => installation?.updates ?? []),
]);

export const eventFields: KqlFields<RuleSubject> = (name) => all.get(name);

export const eventFieldNames: readonly string[] = [...all.keys()];

type Entry = readonly [name: string, field: KqlField<RuleSubject>];

function constant(name: string): Entry {
  return [name, { type: "keyword", read: ({ kind }) => constants[kind][name] }];
}

function placed<Thing>(
  prefix: string,
  fields: Fields<Thing>,
  thingOf: (subject: RuleSubject) => Thing | undefined,
): Entry[] {
  return Object.entries(fields).map(([name, [type, read]]) => [
    prefix + name,
    {
      type,
      read(subject) {
        const thing = thingOf(subject);
        return thing === undefined ? undefined : read(thing, subject);
      },
    },
  ]);
}

/** As Elasticsearch flattens a list of objects: a list for each of their fields. */
function listed<Thing>(
  prefix: string,
  fields: Fields<Thing>,
  thingsOf: (subject: RuleSubject) => readonly Thing[],
): Entry[] {
  return Object.entries(fields).map(([name, [type, read]]) => [
    prefix + name,
    { type, read: (subject) => thingsOf(subject).flatMap((thing) => read(thing, subject) ?? []) },
  ]);
}

function pick<Thing>(fields: Fields<Thing>, names: readonly string[]): Fields<Thing> {
  return Object.fromEntries(Object.entries(fields).filter(([name]) => names.includes(name)));
}

function commandLineOf({ exec: { args } }: ProcessImage): string | undefined {
  return args.length === 0 ? undefined : asTyped(args);
}

/** init's is not known where nobody saw it: lineage/process-table.ts. */
function startOf({ exec: { timeMs } }: ProcessImage): number | undefined {
  return timeMs || undefined;
}

function usersOf({ image: { exec }, nameUser }: RuleSubject): string[] {
  const names = [
    userNameOf(exec, nameUser),
    loginNameOf(exec, nameUser),
    numeral(exec.uid),
    numeral(exec.auid),
  ];
  return [...new Set(names.filter((name) => name !== undefined))];
}

function leaderOf(subject: RuleSubject, of: "session" | "processGroup"): ProcessImage | undefined {
  const { image, ancestors, readDetails } = subject;
  return leaderAmong(readDetails?.(image)?.[of], image, ancestors());
}

function thisHostOf({ image, host }: RuleSubject): EventHost {
  return hostOf(image.exec.node, host);
}

/** rpm's, whichever kind of event it is. */
export function commandOf({ image, installation, aliases }: RuleSubject): RpmCommandLine | undefined {
  return installation?.command ?? rpmCommandOf(image.exec, aliases);
}

function outcomeFor({ kind, installation }: RuleSubject): Outcome | undefined {
  if (installation === undefined) return undefined;
  const pending = pendingOutcome(installation);
  return kind === "outcome" ? outcomeOf(installation.updates, pending.outcome !== "unavailable") : pending;
}

function numeral(id: number | undefined): string | undefined {
  return id === undefined ? undefined : String(id);
}

/** Random executions with all that led to them, as a rule is asked about them. */
import fc from "fast-check";
import type { ExecEvent, SoftwareUpdate } from "../../agent/events/exec-event.ts";
import type { ReadContainer } from "../../agent/lineage/container-of.ts";
import type { ProcessImage } from "../../agent/lineage/process-image.ts";
import type { ReadOwners } from "../../agent/packages/image-owners.ts";
import type { Owner } from "../../agent/packages/owner-answer.ts";
import { shippedAliases } from "../../agent/packages/shipped-aliases.ts";
import type { RuleSubject } from "../../agent/rules/event-fields.ts";
import type { Container, ProcessDetails } from "../../agent/sources/source.ts";
import { host, installationOf } from "./alerts.ts";
import { ancestorsOf, imageOf, updateOf } from "./images.ts";

const names: Readonly<Record<number, string>> = { 0: "root", 1000: "admin" };
const paths = [
  "/usr/bin/rpm",
  "/usr/bin/bash",
  "/usr/sbin/sshd",
  "/usr/bin/runc",
  "/usr/bin/dnf",
  "",
  `/${"x".repeat(1_500)}`,
];
const words = [
  "rpm",
  "-i",
  "-Uvh",
  "--root",
  "/mnt",
  "a.rpm",
  "it's",
  "",
  "é\n",
  "y".repeat(1_024),
  "z".repeat(1_025),
];
const few = fc.array(fc.constantFrom(...words), { maxLength: 5 });
const elsewhere = fc.constant(["rpm", "-i", "--root", "/mnt", "--dbpath", "/db", "a.rpm"]);
const many = fc.constant(Array.from({ length: 300 }, (_, index) => `package-${index}-${"n".repeat(60)}.rpm`));

function maybe<Value>(value: fc.Arbitrary<Value>): fc.Arbitrary<Value | undefined> {
  return fc.option(value, { nil: undefined });
}

const ids = fc.constantFrom(0, 1_000, 4_711);

function execs(): fc.Arbitrary<Partial<ExecEvent>> {
  return fc.record({
    source: fc.constantFrom("audit-log" as const, "procfs" as const),
    node: maybe(fc.constantFrom("web-01", "db-07", "n".repeat(1_100))),
    timeMs: fc.constantFrom(0, Date.UTC(2026, 10, 24), Date.UTC(2026, 10, 24, 12, 0, 0, 7)),
    serial: fc.nat(),
    pid: fc.integer({ min: 2, max: 9 }),
    ppid: fc.constantFrom(-1, 0, 1, 5),
    executable: fc.oneof(fc.constant("/usr/bin/rpm"), fc.constantFrom(...paths)),
    deleted: fc.boolean(),
    script: maybe(fc.constantFrom("/opt/a.sh", `/${"s".repeat(1_200)}`)),
    uid: maybe(ids),
    auid: maybe(ids),
    ses: maybe(fc.constant(3)),
    tty: maybe(fc.constantFrom("pts0", "pts300", "tty1", "ttyS2", "hvc0")),
    userName: maybe(fc.constant("somebody")),
    loginName: maybe(fc.constant("admin")),
    workingDirectory: maybe(fc.constantFrom("/", "/root")),
    argumentsFrom: fc.constantFrom("execve" as const, "none" as const),
    argumentsComplete: fc.boolean(),
    args: fc.oneof(
      { weight: 5, arbitrary: few },
      { weight: 1, arbitrary: many },
      { weight: 1, arbitrary: elsewhere },
    ),
  });
}

/** With up to three generations above it, and up to two images before it. */
function images(depth = 3): fc.Arbitrary<ProcessImage> {
  const relatives = depth === 0 ? fc.constant(undefined) : maybe(images(depth - 1));
  return fc
    .record({
      exec: execs(),
      parent: relatives,
      adopter: depth === 3 ? maybe(images(0)) : fc.constant(undefined),
      previous:
        depth === 3
          ? maybe(images(1).map((image) => ({ ...image, previous: image.parent })))
          : fc.constant(undefined),
      unresolved: fc.constantFrom("not seen" as const, "orphaned" as const, "none" as const),
      provenance: fc.constantFrom("recorded" as const, "procfs" as const, "inferred" as const),
    })
    .map(({ exec, parent, adopter, unresolved, ...links }) =>
      imageOf(exec, {
        ...links,
        parent,
        adopter: parent === undefined ? adopter : undefined,
        unresolved: parent === undefined ? unresolved : undefined,
      }),
    );
}

const details: fc.Arbitrary<ProcessDetails> = fc.record({
  gid: ids,
  processGroup: fc.integer({ min: 2, max: 9 }),
  session: fc.integer({ min: 2, max: 9 }),
  environment: fc.constantFrom([], ["LD_PRELOAD=/tmp/a.so", `LD_AUDIT=${"a".repeat(1_100)}`]),
  effectiveCapabilities: fc.constantFrom([], ["CAP_SETUID", "CAP_BPF"]),
  permittedCapabilities: fc.constantFrom([], ["CAP_SETUID"]),
});

const updates: fc.Arbitrary<SoftwareUpdate> = fc
  .record({
    operation: fc.constantFrom("install" as const, "update" as const, "remove" as const, "unknown" as const),
    nevra: fc.constantFrom("kw-a-1.0-1.noarch", "kernel-", `${"k".repeat(1_200)}-1-1.noarch`),
    signatureRequired: maybe(fc.boolean()),
    signatureVerified: maybe(fc.boolean()),
    success: maybe(fc.boolean()),
  })
  .map(updateOf);

const containers: fc.Arbitrary<Container> = fc.record({
  id: fc.constant("ab".repeat(32)),
  runtime: maybe(fc.constant("podman")),
  name: maybe(fc.constant("web")),
  image: maybe(fc.constantFrom("localhost/kw/build:1", "localhost/kw/web:1")),
  reason: maybe(fc.constant("its runtime's files do not name its image")),
});

/** Of some the process itself is over, of others it is of the host. */
function containerIn(container: Container): ReadContainer {
  return ({ exec: { args, uid } }) =>
    args.length % 3 === 1 ? undefined : uid === 1_000 ? "none" : container;
}

const owners: fc.Arbitrary<Owner> = fc.constantFrom(
  { result: "none" } as const,
  { result: "unknown", reason: "it was not asked" } as const,
  ...["kw-agent", "kw-deploy", "k".repeat(1_100)].map((name) => {
    const nevra = `${name}-1.0-1.x86_64`;
    return { result: "owned", type: "rpm", name, version: "1.0-1", architecture: "x86_64", nevra } as const;
  }),
);

/** The same each time that it is asked of the same image. */
function ownersIn(some: readonly Owner[]): ReadOwners {
  const of = (text: string) => some[text.length % some.length] as Owner;
  return ({ exec: { executable, script } }) => ({
    executable: of(executable),
    script: script === undefined ? undefined : of(script),
    hasOtherOptions: executable.length % 5 === 1,
  });
}

export function subjects(): fc.Arbitrary<RuleSubject> {
  return fc
    .record({
      image: images(),
      kind: fc.constantFrom("exec" as const, "installation" as const, "outcome" as const),
      host: maybe(fc.constant(host)),
      details: maybe(details),
      container: maybe(containers),
      owners: maybe(fc.array(owners, { minLength: 4, maxLength: 4 })),
      records: fc.array(updates, { maxLength: 3 }),
    })
    .map(({ image, kind, host: thisHost, details: known, container, owners: some, records }) => {
      const context = {
        image,
        ancestors: () => ancestorsOf(image),
        host: thisHost,
        provider: "files",
        aliases: shippedAliases,
        nameUser: (uid: number) => names[uid],
        readDetails: known && (() => known),
        readOwners: some && ownersIn(some),
        readContainer: container && containerIn(container),
      };
      return kind === "exec"
        ? { ...context, kind, installation: undefined }
        : { ...context, kind, installation: installationOf(image, records) };
    });
}

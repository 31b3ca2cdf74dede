import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { test } from "node:test";
import fc from "fast-check";
import type { ExecutionDocument } from "../../agent/alert/alert-document.ts";
import { ecsEvent, ecsInstallation } from "../../agent/alert/ecs-event.ts";
import { withOutcomePart } from "../../agent/alert/ecs-outcome.ts";
import { keyword } from "../../agent/alert/ecs-process.ts";
import { documentFields } from "../../agent/rules/document-fields.ts";
import {
  eventFieldNames,
  eventFields,
  type RuleSubject,
  uidChanges,
} from "../../agent/rules/event-fields.ts";
import { refusalOf } from "../../agent/rules/field-sources.ts";
import type { KqlType, KqlValue } from "../../agent/rules/kql-value.ts";
import { ecsMistakes } from "../helpers/ecs.ts";
import { imageOf } from "../helpers/images.ts";
import { subjects } from "../helpers/subjects.ts";

function documentOf(subject: RuleSubject): ExecutionDocument {
  const { image, host, provider, aliases, nameUser, readDetails, readOwners, readContainer } = subject;
  const agent = { type: "kinwatch", version: "0.1.0" } as const;
  const ancestors = subject.ancestors();
  const context = {
    host,
    agent,
    provider,
    nameUser,
    readDetails,
    readOwners,
    readContainer,
    nowMs: undefined,
    ancestors,
    aliases,
  };
  if (subject.installation === undefined) return ecsEvent(image, context);
  const begun = ecsInstallation(subject.installation, context);
  return subject.kind === "outcome" ? withOutcomePart(begun, subject.installation.updates) : begun;
}

function valuesOf(name: string, subject: RuleSubject): readonly KqlValue[] {
  const value = eventFields(name)?.read(subject) ?? [];
  return typeof value === "object" ? value : [value];
}

/** How a document writes what a rule sees whole. */
function asWritten(name: string, type: KqlType, values: readonly KqlValue[]): KqlValue[] {
  const longest = /^kinwatch\..*command_line$/.test(name) ? 1_024 : 16_384;
  return values
    .slice(0, /(?:\bargs|\.operands)$/.test(name) ? 256 : 512)
    .map((value) =>
      type === "date"
        ? new Date(Number(value)).toISOString()
        : typeof value === "string"
          ? keyword(value, type === "wildcard" ? longest : 1_024)
          : value,
    );
}

function pathsOf(value: unknown, path = ""): string[] {
  if (Array.isArray(value)) return value.flatMap((element) => pathsOf(element, path));
  if (typeof value !== "object" || value === null) return [path];
  return Object.entries(value).flatMap(([name, inner]) =>
    pathsOf(inner, path === "" ? name : `${path}.${name}`),
  );
}

test("eventFields(): have what the document of the same event has, field by field", () => {
  const given = new Set<string>();
  fc.assert(
    fc.property(subjects(), (subject) => {
      const document = JSON.parse(JSON.stringify(documentOf(subject)));
      for (const name of eventFieldNames) {
        const type = eventFields(name)?.type ?? "keyword";
        const seen = valuesOf(name, subject);
        if (name === "host.id" && document.host.id === undefined) continue; // see the next test
        if (seen.length > 0) given.add(name);
        assert.deepEqual(asWritten(name, type, seen), documentFields(name)?.read(document), name);
      }
    }),
    { numRuns: 500 },
  );
  assert.deepEqual(
    eventFieldNames.filter((name) => !given.has(name)),
    [],
    "each had a value at least once",
  );
});

test("eventFields(): what a document has besides is refused for a reason, and it keeps to ECS", () => {
  fc.assert(
    fc.property(subjects(), (subject) => {
      const document = JSON.parse(JSON.stringify(documentOf(subject)));
      assert.deepEqual(ecsMistakes(document), []);
      const unknown = pathsOf(document).filter(
        (path) => eventFields(path) === undefined && refusalOf(path, "outcome") === undefined,
      );
      assert.deepEqual(unknown, []);
    }),
    { numRuns: 200 },
  );
});

test("eventFields(): a host has an id in a stored log too: rules go by it", () => {
  fc.assert(
    fc.property(subjects(), (subject) => {
      const [id] = valuesOf("host.id", subject);
      const { node } = subject.image.exec;
      assert.equal(
        id,
        subject.host && (node ?? "web-01") === "web-01" ? subject.host.id : (node ?? "unnamed"),
      );
    }),
  );
});

test("eventFields(): types are those of ECS", () => {
  const ecs = JSON.parse(readFileSync(new URL("../samples/ecs-fields.json", import.meta.url), "utf8")).fields;
  const wrong = eventFieldNames.filter((name) => {
    const type = ecs[name]?.type ?? (name.startsWith("kinwatch.") ? eventFields(name)?.type : "not in ECS");
    return eventFields(name)?.type !== type;
  });
  assert.deepEqual(wrong, []);
});

test("eventFields(): knows no other names", () => {
  for (const name of [
    "",
    "process",
    "process.nme",
    "process.args.0",
    "constructor",
    "auditd.data.a2",
    "PROCESS.NAME",
  ])
    assert.equal(eventFields(name), undefined, name);
});

const users = [
  { why: "another user by an execution", before: 0, now: 998, want: true },
  { why: "the same user", before: 0, now: 0, want: false },
  { why: "a user that nobody knows", before: undefined, now: 0, want: false },
] as const;
for (const { why, before, now, want } of users) {
  test(`uidChanges(): ${why}`, () => {
    assert.equal(uidChanges(imageOf({ uid: now }, { previous: imageOf({ uid: before }) })), want);
  });
}

test("uidChanges(): who starts a program as another user does not become it", () => {
  assert.equal(uidChanges(imageOf({ uid: 0 }, { parent: imageOf({ uid: 1_000 }) })), false);
});

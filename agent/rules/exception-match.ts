/**
 * Does an exception hold? Its conditions become queries like those of rules, compiled for events or for the documents of alerts.
 * Only of packages all must satisfy the pattern, where a query is content with one of a list: a good package must not bring a bad
 * one along.
 *
 * A parent that is only inferred satisfies no `parent`: a process whose parent died is taken over by a service manager, so that an
 * exception of that one would be one of whoever lets his process be an orphan.
 *
 * `package_owner` is about what was installed by: a script where one is run, for its interpreter is anybody's. An interpreter without
 * a script is nobody's program, whatever package it came with: what it runs came from a command line or a pipe.
 */
import { isInterpreter } from "../events/interpreter.ts";
import { splitNevra } from "../packages/outcome.ts";
import { type ConditionKey, conditionKeys, type Exception } from "./exception.ts";
import { compileKql, type KqlField, type KqlFields, type KqlMatcher } from "./kql-match.ts";
import { KqlError, type KqlLeaf, type KqlNode } from "./kql-tree.ts";
import { compileValue } from "./kql-value.ts";

/** What exceptions are asked about. */
export interface Excepted<Document> {
  readonly fields: KqlFields<Document>;
  readonly parentScript: KqlField<Document>["read"]; // rules have no field for it
  readonly packages: (document: Document) => readonly string[]; // file names or NEVRAs; none: they are not known
  readonly installers: (document: Document) => readonly Installer[]; // the parent, and what the process was before; none: not known
}

/** A program that installs, and whose its files are. */
export interface Installer {
  readonly program: string; // its base name
  readonly isScript: boolean;
  readonly hasOtherOptions: boolean; // the interpreter, than the script's first line gives it
  readonly executable: PackageName;
  readonly script: PackageName;
}

type PackageName = string | undefined; // undefined: of no package, or nobody knows

export interface Condition<Document> {
  readonly key: ConditionKey;
  readonly holds: KqlMatcher<Document>;
}

const PARENT_SCRIPT = "the parent's script"; // with blanks: no event has a field of that name

/** @param exception one that exception-file.ts took: its fields are there */
export function conditionsOf<Document>(
  exception: Exception,
  { fields, parentScript, packages, installers }: Excepted<Document>,
): Condition<Document>[] {
  const all: KqlFields<Document> = (name) =>
    name === PARENT_SCRIPT ? { type: "keyword", read: parentScript } : fields(name);
  const conditions = queriesOf(exception).map(({ key, tree }): Condition<Document> => {
    const holds = compileKql(tree, all);
    if (holds instanceof KqlError) throw holds;
    return { key, holds };
  });
  const { package: name, package_owner: owner } = exception.conditions;
  return [
    ...conditions,
    ...(name === undefined ? [] : [{ key: "package" as const, holds: areMeant(name, packages) }]),
    ...(owner === undefined ? [] : [{ key: "package_owner" as const, holds: areOf(owner, installers) }]),
  ];
}

function areMeant<Document>(
  pattern: string,
  packages: Excepted<Document>["packages"],
): (document: Document) => boolean {
  const isMeant = compileValue(leaf("package.name", pattern), "wildcard");
  return (document) => {
    const known = packages(document);
    return known.length > 0 && known.every((one) => spellings(one).some(isMeant));
  };
}

function areOf<Document>(
  pattern: string,
  installers: Excepted<Document>["installers"],
): (document: Document) => boolean {
  const isMeant = compileValue(leaf("package.name", pattern), "wildcard");
  return (document) => {
    const all = installers(document);
    return (
      all.length > 0 &&
      all.every(({ program, isScript, hasOtherOptions, executable, script }) =>
        isScript
          ? !hasOtherOptions && executable !== undefined && script !== undefined && isMeant(script)
          : executable !== undefined && isMeant(executable) && !isInterpreter(program),
      )
    );
  };
}

/** All conditions but those of packages. */
export function queriesOf({ conditions, tree }: Exception): { key: ConditionKey; tree: KqlNode }[] {
  return conditionKeys.flatMap((key) => {
    const pattern = conditions[key];
    if (pattern === undefined || key === "package" || key === "package_owner") return [];
    const made = key === "query" ? tree : trees[key](pattern);
    return made === undefined ? [] : [{ key, tree: made }];
  });
}

type TreeKey = Exclude<ConditionKey, "package" | "package_owner" | "query">;
const trees: Readonly<Record<TreeKey, (pattern: string) => KqlNode>> = {
  user: (user) => userTree("user", user),
  login_user: (user) => userTree("kinwatch.login_user", user),
  parent: (path) => ({
    kind: "and",
    operands: [
      leaf("process.parent.executable", path),
      { kind: "not", operand: leaf("kinwatch.parent_provenance", "inferred"), ...nowhere },
    ],
    ...nowhere,
  }),
  script: (path) => anyOf([PARENT_SCRIPT, "kinwatch.previous_images.script"], path),
  ancestor: (path) =>
    anyOf(
      ["kinwatch.ancestry", "kinwatch.previous_images"].flatMap((of) => [`${of}.executable`, `${of}.script`]),
      path,
    ),
  working_directory: (path) => leaf("process.working_directory", path),
  container_image: (image) => leaf("container.image.name", image),
};

const nowhere = { start: 0, end: 0 }; // no text of a query says it

/** A stored log seldom has names; but root is 0 on every host. */
function userTree(prefix: string, user: string): KqlNode {
  if (user === "root") return leaf(`${prefix}.id`, "0");
  return leaf(`${prefix}.${/^\d+$/.test(user) ? "id" : "name"}`, user);
}

function anyOf(fields: readonly string[], pattern: string): KqlNode {
  return { kind: "or", operands: fields.map((field) => leaf(field, pattern)), ...nowhere };
}

function leaf(name: string, pattern: string): KqlLeaf {
  const field = { text: name, quoted: false, ...nowhere };
  const pieces = pattern.split("*");
  return pieces.length > 1
    ? { kind: "wildcard", field, pieces, ...nowhere }
    : { kind: "equals", field, value: { text: pattern, quoted: true, ...nowhere }, ...nowhere };
}

/** What a pattern may name a package by: its file or NEVRA, and its name alone. */
function spellings(fileOrNevra: string): string[] {
  const whole = fileOrNevra.slice(fileOrNevra.lastIndexOf("/") + 1);
  const nevra = whole.endsWith(".rpm") ? whole.slice(0, -".rpm".length) : whole;
  return [whole, nevra, splitNevra(nevra).name];
}

/** Exceptions and stored alerts: which exception would have held one back, and which one an alert asks for. */
import type { AlertDocument, UserDocument } from "../alert/alert-document.ts";
import { rpmPart } from "../alert/ecs-execution.ts";
import { baseName } from "../events/audit-exec.ts";
import { rpmCommandOf } from "../packages/installation.ts";
import type { RpmAliases } from "../packages/rpm-aliases.ts";
import { documentFields } from "../rules/document-fields.ts";
import type { Conditions, Exception } from "../rules/exception.ts";
import { conditionsOf, type Excepted, type Installer } from "../rules/exception-match.ts";
import { isOf, knownPackages } from "../rules/exceptions.ts";

/**
 * Why an exception would not have held an alert back.
 * @param isOver the alert's rule was asked when the outcome was known
 * @returns its keys that do not hold; none: it would have
 */
export function refusalsOf(
  exception: Exception,
  alert: AlertDocument,
  isOver: boolean,
  aliases: RpmAliases,
): string[] {
  const asked = asAsked(alert, aliases);
  const conditions = conditionsOf(exception, excepted(isOver));
  return [
    ...(isOf(exception, alert.rule.id) ? [] : ["rules"]),
    ...(Date.parse(alert["@timestamp"]) <= exception.expiresMs ? [] : ["expires"]),
    ...conditions.filter(({ holds }) => !holds(asked)).map(({ key }) => key),
  ];
}

function excepted(isOver: boolean): Excepted<AlertDocument> {
  return {
    fields: documentFields,
    parentScript: ({ kinwatch }) => kinwatch.ancestry[0]?.script,
    packages: ({ kinwatch: { arguments_complete, rpm, software_update } }) =>
      knownPackages(isOver, arguments_complete ? (rpm?.operands ?? []) : [], software_update),
    installers: installersOf,
  };
}

/** By what the alert says of packages: a stored log's says nothing. */
function installersOf({ process, kinwatch }: AlertDocument): readonly Installer[] {
  const [parent] = kinwatch.ancestry;
  if (
    parent === undefined ||
    parent.entity_id !== process.parent?.entity_id ||
    parent.provenance === "inferred"
  )
    return [];
  return [parent, ...kinwatch.previous_images].map(
    ({ executable = "", script, package_owner, script_package_owner, script_options_changed = false }) => ({
      program: baseName(executable),
      isScript: script !== undefined,
      hasOtherOptions: script_options_changed,
      executable: package_owner?.name,
      script: script_package_owner?.name,
    }),
  );
}

/** As the event was when its rule was asked, but for the outcome, which is told as it came. */
function asAsked(alert: AlertDocument, aliases: RpmAliases): AlertDocument {
  const { process, kinwatch } = alert;
  const { executable = "", args = [] } = process;
  const argumentsComplete = kinwatch.arguments_complete && args.length === (process.args_count ?? 0);
  const rpm = kinwatch.rpm ?? rpmPart(rpmCommandOf({ executable, args, argumentsComplete }, aliases)).rpm;
  const event = { ...alert.event, kind: "event", dataset: "kinwatch.events" };
  return {
    ...alert,
    event,
    kinwatch: { ...kinwatch, ...(rpm === undefined ? {} : { rpm }) },
  } as AlertDocument;
}

/**
 * The narrowest conditions that the same parent and account will satisfy again.
 * @returns undefined: the parent is not known, and without it an exception would be one of everybody
 */
export function proposalOf(alert: AlertDocument): Conditions | undefined {
  const { user, process, kinwatch } = alert;
  const conditions: Record<string, string> = {};
  const queries: string[] = [];
  const put = (key: keyof Conditions, field: string, value: string) => {
    if (value.includes("*"))
      queries.push(`${field}:${JSON.stringify(value)}`); // a path that would be a pattern
    else conditions[key] = value;
  };
  const termOf = (field: string) => kinwatch.new_terms.find((term) => term.field === field)?.value;
  const service = termOf("process.service");
  const isKnown = kinwatch.parent_unresolved_reason === undefined;
  if (isKnown && service !== undefined) {
    const [executable = "", script = ""] = service;
    queries.push(`process.executable:${JSON.stringify(executable)}`);
    if (process.args?.includes(script)) queries.push(`process.args:${JSON.stringify(script)}`);
  } else if (
    isKnown &&
    kinwatch.parent_provenance !== "inferred" &&
    process.parent?.executable !== undefined
  ) {
    put("parent", "process.parent.executable", process.parent.executable);
    const script = kinwatch.ancestry[0]?.script;
    if (script !== undefined) put("script", "kinwatch.ancestry.script", script);
    else if (kinwatch.login_user !== undefined) conditions["login_user"] = nameOf(kinwatch.login_user); // a shell is everybody's
  } else return undefined;
  const [became = "", script = ""] = termOf("process.previous") ?? [];
  if (became !== "")
    put("ancestor", `kinwatch.previous_images.${script === "" ? "executable" : "script"}`, script || became);
  if (user !== undefined) conditions["user"] = nameOf(user);
  const { id, image } = alert.container ?? {};
  if (image !== undefined) put("container_image", "container.image.name", image.name);
  else if (id !== undefined) queries.push(`container.id:${JSON.stringify(id)}`);
  if (queries.length > 0) conditions["query"] = queries.join(" and ");
  return conditions;
}

function nameOf({ id, name }: UserDocument): string {
  return name ?? id;
}

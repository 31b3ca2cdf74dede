/** What `setup kibana` asks of Kibana, one request after another. Each object's fate is printed as soon as it is known. */
import { type DetectionRule, detectionRules, withWhatPeopleGave } from "../fleet/detection-rules.ts";
import { type ImportedObject, importedObjects, importedRules, type Sent } from "../fleet/import-answer.ts";
import { kibanaTable, kibanaVersion, noKibana } from "../fleet/kibana-answer.ts";
import { kibanaObjects } from "../fleet/kibana-objects.ts";
import { ndjson } from "../fleet/saved-object.ts";
import type { AskKibana, KibanaRequest } from "../outputs/kibana-request.ts";
import { print } from "./format.ts";

export const objectsPath = "/api/saved_objects/_import?overwrite=true";
export const rulesPath = "/api/detection_engine/rules/_import?overwrite=true";
export const objectsFile = "kinwatch-objects.ndjson";
export const rulesFile = "kinwatch-rules.ndjson";

/** Whether it is Kibana, and new enough. @returns undefined: it does not tell its version */
export async function askVersion(ask: AskKibana): Promise<string | undefined> {
  const request: KibanaRequest = { method: "GET", path: "/api/status" };
  return kibanaVersion(request, await ask(request));
}

export async function importObjects(ask: AskKibana): Promise<ImportedObject[]> {
  const objects = kibanaObjects();
  const sent = objects.map(({ type, id, attributes: { title, name } }) => ({
    kind: type,
    id,
    name: String(name ?? title),
  }));
  return await importAll(
    ask,
    { path: objectsPath, name: objectsFile, documents: objects },
    sent,
    importedObjects,
  );
}

/** @param isEnabled whether rules that are not there yet are switched on */
export async function importRules(ask: AskKibana, isEnabled: boolean): Promise<ImportedObject[]> {
  const rules: DetectionRule[] = [];
  for (const rule of detectionRules) {
    const there = await existingRule(ask, rule.rule_id);
    rules.push(there === undefined ? { ...rule, enabled: isEnabled } : withWhatPeopleGave(rule, there));
  }
  const sent = rules.map(({ rule_id: id, name }) => ({ kind: "rule", id, name }));
  return await importAll(ask, { path: rulesPath, name: rulesFile, documents: rules }, sent, importedRules);
}

async function existingRule(
  ask: AskKibana,
  id: string,
): Promise<Readonly<Record<string, unknown>> | undefined> {
  const request: KibanaRequest = { method: "GET", path: `/api/detection_engine/rules?rule_id=${id}` };
  const answer = await ask(request);
  return answer.status === 404 ? undefined : kibanaTable(request, answer);
}

interface Upload {
  readonly path: string;
  readonly name: string;
  readonly documents: readonly object[];
}

async function importAll(
  ask: AskKibana,
  { path, name, documents }: Upload,
  sent: readonly Sent[],
  read: (body: unknown, sent: readonly Sent[]) => ImportedObject[] | undefined,
): Promise<ImportedObject[]> {
  const request: KibanaRequest = { method: "POST", path, file: { name, text: ndjson(documents) } };
  const answer = await ask(request);
  const imported = read(kibanaTable(request, answer), sent);
  if (imported === undefined) throw noKibana(request, answer);
  for (const object of imported) await print(`${lineOf(object)}\n`);
  return imported;
}

function lineOf({ kind, name, id, failure, otherId }: ImportedObject): string {
  const object = `${kind} ${name}`;
  if (failure !== undefined) return `refused ${object} (${id}): ${failure}`;
  return `imported ${object}${otherId === undefined ? "" : `, as ${otherId}`}`;
}

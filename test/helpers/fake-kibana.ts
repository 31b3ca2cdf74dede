/**
 * Answers as Kibana 8.9 does to what `setup kibana` asks: it wants a form with a file that ends in .ndjson and the header against
 * forged requests, knows what refers to what, and remembers. What it should refuse, a test says.
 */
import type { DetectionRule } from "../../agent/fleet/detection-rules.ts";
import { type ReadObject, readNdjson } from "./kibana.ts";
import type { Answer, Asked } from "./server.ts";

export class FakeKibana {
  readonly objects = new Map<string, ReadObject>(); // by space, type and id
  readonly rules = new Map<string, Record<string, unknown>>(); // by space and rule_id
  version = "8.9.0";
  authorization: string | undefined; // asked for
  /** Instead of what it would answer, by the end of the path without its query. */
  instead: (path: string) => Answer | undefined = () => undefined;

  readonly answer = async (asked: Asked): Promise<Answer> => {
    const { pathname, searchParams } = new URL(asked.path, "http://kibana");
    const [, space = "", path = ""] = /^(?:\/s\/([^/]+))?(\/api\/.*)$/.exec(pathname) ?? [];
    const other = this.instead(path);
    if (other !== undefined) return other;
    const { authorization } = asked.headers;
    if (this.authorization !== undefined && authorization !== this.authorization)
      return failed(401, "Unauthorized", `unable to authenticate with ${authorization}`);
    if (path === "/api/status")
      return {
        status: 200,
        body: { version: { number: this.version }, status: { overall: { level: "available" } } },
      };
    if (path === "/api/detection_engine/rules") return this.#rule(space, searchParams.get("rule_id") ?? "");
    if (asked.method !== "POST" || !path.endsWith("/_import")) return failed(404, "Not Found", "Not Found");
    if (asked.headers["kbn-xsrf"] === undefined)
      return failed(400, "Bad Request", "Request must contain a kbn-xsrf header.");
    const file = await fileIn(asked);
    if (!file?.name.endsWith(".ndjson"))
      return failed(400, "Bad Request", `Invalid file extension ${file?.name}`);
    const overwrite = searchParams.get("overwrite") === "true";
    const text = await file.text();
    return path.startsWith("/api/saved_objects/")
      ? this.#importObjects(space, readNdjson(text), overwrite)
      : this.#importRules(space, readNdjson(text), overwrite);
  };

  #importObjects(space: string, objects: readonly ReadObject[], overwrite: boolean): Answer {
    const has = (type: string, id: string) =>
      objects.some((one) => one.type === type && one.id === id) || this.objects.has(`${space}/${type}/${id}`);
    const errors: object[] = [];
    const successResults: object[] = [];
    for (const object of objects) {
      const { type, id, references } = object;
      const missing = references.filter((one) => !has(one.type, one.id));
      const key = `${space}/${type}/${id}`;
      if (missing.length > 0)
        errors.push({ type, id, error: { type: "missing_references", references: missing } });
      else if (this.objects.has(key) && !overwrite) errors.push({ type, id, error: { type: "conflict" } });
      else {
        this.objects.set(key, object);
        successResults.push({ type, id, meta: {}, overwrite });
      }
    }
    const success = errors.length === 0;
    return {
      status: 200,
      body: { success, successCount: successResults.length, successResults, ...(success ? {} : { errors }) },
    };
  }

  #importRules(space: string, rules: readonly DetectionRule[], overwrite: boolean): Answer {
    const errors: object[] = [];
    for (const rule of rules) {
      const key = `${space}/${rule.rule_id}`;
      if (this.rules.has(key) && !overwrite)
        errors.push({ rule_id: rule.rule_id, error: { status_code: 409, message: "already exists" } });
      else this.rules.set(key, { ...rule });
    }
    const body = {
      success: errors.length === 0,
      success_count: rules.length - errors.length,
      rules_count: rules.length,
      errors,
      exceptions_success: true,
      exceptions_success_count: 0,
      exceptions_errors: [],
    };
    return { status: 200, body };
  }

  #rule(space: string, id: string): Answer {
    const rule = this.rules.get(`${space}/${id}`);
    if (rule !== undefined) return { status: 200, body: rule };
    return { status: 404, body: { message: `rule_id: "${id}" not found`, status_code: 404 } };
  }
}

function failed(statusCode: number, error: string, message: string): Answer {
  return { status: statusCode, body: { statusCode, error, message } };
}

async function fileIn({ headers, body }: Asked): Promise<File | undefined> {
  const type = headers["content-type"] ?? "";
  if (!type.startsWith("multipart/form-data")) return undefined;
  const form = await new Response(body, { headers: { "content-type": type } }).formData();
  const file = form.get("file");
  return file instanceof File ? file : undefined;
}

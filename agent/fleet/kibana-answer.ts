/** What Kibana answers, of any content: what was asked for, or an error that says what to do. */
import { KinwatchError } from "../errors.ts";
import type { KibanaAnswer, KibanaRequest } from "../outputs/kibana-request.ts";
import { printable } from "../printable.ts";
import { reasonIn } from "./import-answer.ts";
import { kibanaVersionMin } from "./saved-object.ts";
import { isTable, type Table } from "./server-answer.ts";

/**
 * Of `GET /api/status`.
 * @returns its version; undefined: it does not tell everybody
 * @throws KW_SETUP_NOT_KIBANA, KW_SETUP_KIBANA_OLD, and as kibanaTable() does
 */
export function kibanaVersion(request: KibanaRequest, answer: KibanaAnswer): string | undefined {
  const { status } = answer;
  const isRefusal = status === 401 || status === 403 || status === 429 || status >= 500;
  const body = isRefusal || status === 200 ? kibanaTable(request, answer) : undefined;
  if (body === undefined || (!isTable(body["version"]) && !isTable(body["status"])))
    throw noKibana(request, answer);
  const version = isTable(body["version"]) ? body["version"]["number"] : undefined;
  if (typeof version !== "string") return undefined;
  if (isBefore(version, kibanaVersionMin))
    throw new KinwatchError(
      "KW_SETUP_KIBANA_OLD",
      `This is Kibana ${printable(version, 40)}, and what kinwatch brings is for ${kibanaVersionMin} and later`,
      "Bring Elasticsearch and Kibana up to date, or do without the dashboard",
    );
  return version;
}

/**
 * @returns the answer's table
 * @throws KW_SETUP_KIBANA_UNAUTHORIZED, KW_SETUP_KIBANA_TOO_LARGE, KW_SETUP_KIBANA_REFUSED, KW_SETUP_NOT_KIBANA
 */
export function kibanaTable(request: KibanaRequest, answer: KibanaAnswer): Table {
  const { status, body } = answer;
  const said = `${askedFor(request)}: HTTP ${status}: ${reasonIn(body)}`;
  if (status === 401 || status === 403)
    throw new KinwatchError(
      "KW_SETUP_KIBANA_UNAUTHORIZED",
      said,
      "Give --admin-key-file or --admin-user-file of one who may manage saved objects and security rules in that space",
    );
  if (status === 413)
    throw new KinwatchError(
      "KW_SETUP_KIBANA_TOO_LARGE",
      said,
      "Raise the limit of the proxy before Kibana, or import the files of --print in Kibana's own pages",
    );
  if (status >= 200 && status <= 299 && isTable(body)) return body;
  if (status === 429 || status >= 500)
    throw new KinwatchError("KW_SETUP_KIBANA_REFUSED", said, "Try again when Kibana is well");
  if (status < 400 || !isTable(body)) throw noKibana(request, answer);
  const missing = "Without the security solution, or in a space without it, leave the rules out: --no-rules";
  const remedy = request.path.startsWith("/api/detection_engine/") ? missing : "Put right what it names";
  throw new KinwatchError("KW_SETUP_KIBANA_REFUSED", said, remedy);
}

export function noKibana(request: KibanaRequest, { status, body, location }: KibanaAnswer): KinwatchError {
  const onward = location === undefined ? "" : `, sends on to ${printable(location, 200)}`;
  return new KinwatchError(
    "KW_SETUP_NOT_KIBANA",
    `${askedFor(request)}: HTTP ${status}${onward}, no answer of Kibana: ${reasonIn(body)}`,
    "Name the address of Kibana itself, with its base path; Elasticsearch and login pages answer otherwise",
  );
}

function askedFor({ method, path }: KibanaRequest): string {
  return `${method} ${printable(path, 200)}`;
}

/** Of x.y.z; a text that is no version is before all. */
function isBefore(version: string, least: string): boolean {
  const [major = 0, minor = 0] = version.split(".").map(Number);
  const [leastMajor = 0, leastMinor = 0] = least.split(".").map(Number);
  return !(major > leastMajor || (major === leastMajor && minor >= leastMinor));
}

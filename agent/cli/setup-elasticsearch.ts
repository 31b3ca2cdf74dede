/** `kinwatch setup elasticsearch`: the templates of our data streams, and keys for hosts. Twice is as once. */
import { Command, Option } from "commander";
import { KinwatchError } from "../errors.ts";
import { apiKeyRequest } from "../fleet/api-key.ts";
import { type Stream, streams } from "../fleet/field.ts";
import { acknowledged, granted, unexpected } from "../fleet/server-answer.ts";
import {
  applyChange,
  existingStreams,
  type Plan,
  planOf,
  renewals,
  type Wishes,
} from "../fleet/server-plan.ts";
import { defaultRetention, FOREVER } from "../fleet/templates.ts";
import { openServer, type SendRequest, type ServerRequest } from "../outputs/elasticsearch-request.ts";
import { printable } from "../printable.ts";
import { kinwatch } from "./checkout.ts";
import { endWhenReaderLeaves, print } from "./format.ts";
import { configOption, readSettings, type SettingsOptions } from "./settings.ts";
import { changeText, nameOf } from "./setup-change-text.ts";
import {
  addConnectionOptions,
  authorizationOf,
  type ConnectionOptions,
  serverOf,
} from "./setup-connection.ts";
import { allInOne, writeFiles } from "./setup-files.ts";

interface Options extends SettingsOptions, ConnectionOptions {
  readonly dryRun?: boolean;
  readonly print?: string;
  readonly createKey?: string;
  readonly existing?: boolean;
  readonly keepAlerts?: string;
  readonly keepEvents?: string;
  readonly keepHealth?: string;
  readonly serverless?: boolean;
  readonly failureStore: boolean;
}

const keepForm = /^(?:[1-9]\d{0,4}d|forever)$/;
const hostForm = /^[A-Za-z0-9][A-Za-z0-9._-]{0,199}$/;

export function setupElasticsearchCommand(): Command {
  return addConnectionOptions(new Command("elasticsearch"))
    .description("install the templates of kinwatch's data streams, and make keys for hosts")
    .option("--dry-run", "show what would change, and change nothing")
    .option("--print <folder>", "write it all as JSON for other tools, and ask no server; - for one object")
    .option("--create-key <host>", "make the key of that host, and print it once")
    .option("--existing", "also renew data streams that are there already")
    .addOption(keepOption("alerts"))
    .addOption(keepOption("events"))
    .addOption(keepOption("health"))
    .option("--serverless", "with --print: for Elastic Cloud Serverless")
    .option("--no-failure-store", "for versions before 8.19 and 9.1; else the server is asked")
    .addOption(configOption())
    .addHelpText(
      "after",
      `
Examples:
  What is there, and what would be?
    ${kinwatch} setup elasticsearch --dry-run \\
      --url https://es.example:9200 --admin-key-file admin.key
  Install it, with alerts kept for two years:
    ${kinwatch} setup elasticsearch --keep-alerts 730d \\
      --url https://es.example:9200 --admin-key-file admin.key
  The key that a host needs, into its file:
    ${kinwatch} setup elasticsearch --create-key web-01 \\
      --url https://es.example:9200 --admin-user-file admin.user >api_key
  For Terraform, Ansible or a review:
    ${kinwatch} setup elasticsearch --print assets

Credentials are an administrator's, not the daemon's; they are read from files
that only their owner may read, or from standard input (-), and kept nowhere.
A retention that is left out stays as it is on the server.
docs/elasticsearch.md names the privileges.

Exit code 1: with --dry-run, something would change.`,
    )
    .action(setUp);
}

function keepOption(stream: Stream): Option {
  return new Option(
    `--keep-${stream} <days>`,
    `how long: such as ${defaultRetention[stream]}, which a new server gets, or ${FOREVER}`,
  );
}

async function setUp(options: Options): Promise<void> {
  endWhenReaderLeaves(process.stdout);
  const wishes = wishesOf(options);
  if (options.createKey !== undefined && !hostForm.test(options.createKey))
    throw invalid(
      `No name of a host: ${printable(options.createKey, 200)}`,
      "Use letters, digits, dots and dashes",
    );
  if (options.print !== undefined) return await printAssets(options.print, wishes);
  await using server = openServer(serverOf(options, readSettings(options)), authorizationOf(options));
  const plan = await planOf(server.request, wishes);
  if (options.dryRun === true) return await show(plan);
  for (const change of plan.changes) {
    await applyChange(server.request, change);
    say(`${change.differences === undefined ? "made" : "changed"} ${nameOf(change)}`);
  }
  if (plan.changes.length === 0) say("nothing to do: all templates are as they should be");
  await renew(server.request, plan, options.existing === true);
  if (options.createKey !== undefined) await createKey(server.request, options.createKey);
}

/** @throws KW_ARGUMENT_INVALID */
function wishesOf({ keepAlerts, keepEvents, keepHealth, serverless, failureStore }: Options): Wishes {
  const asked = { alerts: keepAlerts, events: keepEvents, health: keepHealth };
  const retention: Partial<Record<Stream, string>> = {};
  for (const stream of streams) {
    const keep = asked[stream];
    if (keep === undefined) continue;
    if (!keepForm.test(keep))
      throw invalid(`No retention: ${printable(keep, 100)}`, `Write days, such as 90d, or ${FOREVER}`);
    retention[stream] = keep;
  }
  return { retention, serverless, failureStore: failureStore ? undefined : false };
}

async function printAssets(folder: string, wishes: Wishes): Promise<void> {
  const wanted = {
    retention: { ...defaultRetention, ...wishes.retention },
    serverless: wishes.serverless ?? false,
    failureStore: wishes.failureStore ?? true,
  };
  if (folder === "-") await print(allInOne(wanted));
  else for (const file of writeFiles(folder, wanted)) say(`wrote ${printable(file, 400)}`);
}

async function show({ changes }: Plan): Promise<void> {
  if (changes.length === 0) return say("nothing to do: all templates are as they should be");
  process.exitCode = 1;
  for (const change of changes) await print(changeText(change));
}

/** Templates are of data streams to come: those that are there take mappings with their next backing index, retention never. */
async function renew(request: SendRequest, { options, changes }: Plan, isAsked: boolean): Promise<void> {
  if (changes.length === 0 && !isAsked) return;
  const requests = (await existingStreams(request)).flatMap((name) => renewals(name, options));
  if (requests.length === 0) return;
  if (isAsked) {
    for (const one of requests) {
      acknowledged(one, await request(one));
      say(`done: ${textOf(one)}`);
    }
    return;
  }
  say("data streams that are there already stay as they are until --existing renews them, which asks for:");
  for (const one of requests) say(`  ${textOf(one)}`);
}

function textOf({ method, path, body }: ServerRequest): string {
  return printable(`${method} ${path}${body === undefined ? "" : ` ${JSON.stringify(body)}`}`, 400);
}

/** Standard output gets the key and nothing else, so that it can go into its file. */
async function createKey(request: SendRequest, host: string): Promise<void> {
  const asked: ServerRequest = { method: "POST", path: "/_security/api_key", body: apiKeyRequest(host) };
  const { id, encoded } = granted(asked, await request(asked));
  if (typeof id !== "string" || typeof encoded !== "string" || !/^[\w+/=-]+$/.test(encoded))
    throw unexpected(asked, undefined);
  say(`made the key ${printable(id, 100)} of ${host}; it is shown only now`);
  await print(`${encoded}\n`);
}

function invalid(what: string, remedy: string): KinwatchError {
  return new KinwatchError("KW_ARGUMENT_INVALID", what, remedy);
}

function say(text: string): void {
  process.stderr.write(`kinwatch: ${text}\n`);
}

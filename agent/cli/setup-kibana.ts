/** `kinwatch setup kibana`: the dashboard, searches and detection rules of the fleet. Twice is as once. */
import { join } from "node:path";
import { Command } from "commander";
import { KinwatchError } from "../errors.ts";
import { type DetectionRule, detectionRules } from "../fleet/detection-rules.ts";
import { kibanaObjects } from "../fleet/kibana-objects.ts";
import { ndjson } from "../fleet/saved-object.ts";
import { type KibanaConnection, openKibana } from "../outputs/kibana-request.ts";
import { readTlsFiles } from "../outputs/server-trust.ts";
import { printable } from "../printable.ts";
import { kinwatch } from "./checkout.ts";
import { endWhenReaderLeaves, print } from "./format.ts";
import {
  askVersion,
  importObjects,
  importRules,
  objectsFile,
  objectsPath,
  rulesFile,
  rulesPath,
} from "./kibana-import.ts";
import { authorizationOf, type ConnectionOptions, checkUrl } from "./setup-connection.ts";
import { writeAsset } from "./setup-files.ts";

interface Options extends Omit<ConnectionOptions, "url"> {
  readonly url?: string;
  readonly space?: string;
  readonly print?: string;
  readonly rules: boolean;
  readonly enableRules?: boolean;
}

const noTlsFiles = { client_certificate_file: "", client_key_file: "" };
const spaceForm = /^[a-z0-9_-]{1,100}$/; // as Kibana makes them

export function setupKibanaCommand(): Command {
  return new Command("kibana")
    .description("import the fleet's dashboard, searches and detection rules")
    .option("--url <url>", "Kibana, with the base path if it has one")
    .option("--space <id>", "which space, instead of the default one")
    .option("--ca-file <file>", "CA certificates (PEM), instead of this host's")
    .option("--allow-plain-http", "send an administrator's credentials without TLS")
    .option("--admin-key-file <file>", "an administrator's API key, id:key or encoded")
    .option("--admin-user-file <file>", "or an administrator's user:password")
    .option("--no-rules", "leave the detection rules out")
    .option("--enable-rules", "switch on rules that are not there yet")
    .option("--print <folder>", "write the files to import, and ask no server; - for one object")
    .addHelpText(
      "after",
      `
Examples:
  Import all into the space of the security team:
    ${kinwatch} setup kibana --space security \\
      --url https://kibana.example:5601 --admin-user-file admin.user
  Only the dashboard and its searches:
    ${kinwatch} setup kibana --no-rules \\
      --url https://kibana.example:5601 --admin-key-file admin.key
  For a review, or to import by hand:
    ${kinwatch} setup kibana --print assets

What is there already is replaced. Of a rule it stays whether it is on, whom it
tells and its exceptions. A rule runs with the rights of who imported it, and no
longer than an API key that did: prefer a user. Without TLS only Kibana on this
host is asked.
docs/kibana.md shows the dashboard and names the privileges. It takes Kibana 8.9
or a later one.

Exit code 2: Kibana did not take all; what it took is there.`,
    )
    .action(setUp);
}

async function setUp(options: Options): Promise<void> {
  endWhenReaderLeaves(process.stdout);
  if (options.print !== undefined) return await printFiles(options.print, rulesOf(options));
  await using kibana = openKibana(connectionOf(options));
  const version = await askVersion(kibana.ask);
  say(`Kibana${version === undefined ? "" : ` ${printable(version, 40)}`} answers`);
  const objects = await importObjects(kibana.ask);
  const rules = options.rules ? await importRules(kibana.ask, options.enableRules === true) : [];
  const failed = [...objects, ...rules].filter(({ failure }) => failure !== undefined).length;
  if (failed > 0)
    throw new KinwatchError(
      "KW_SETUP_KIBANA_PARTLY",
      `Kibana did not take ${failed} of ${objects.length + rules.length}, and said why`,
      "Put right what it names and run the same command again: what is there is replaced",
    );
}

/** @throws KW_ARGUMENT_INVALID, KW_SETUP_PLAIN_HTTP, KW_SETUP_CREDENTIAL_UNUSABLE, KW_CONFIG_… */
function connectionOf(options: Options): KibanaConnection {
  const { url, space, caFile, allowPlainHttp } = options;
  if (url === undefined)
    throw new KinwatchError(
      "KW_ARGUMENT_INVALID",
      "No address of Kibana is given",
      "Give --url, or --print to write the files",
    );
  checkUrl(url, { server: "Kibana", allowPlainHttp: allowPlainHttp === true });
  if (space !== undefined && !spaceForm.test(space))
    throw new KinwatchError(
      "KW_ARGUMENT_INVALID",
      `No id of a space: ${printable(space, 200)}`,
      "It has lower-case letters, digits, _ and -, and stands in Kibana's addresses behind /s/",
    );
  return {
    url,
    space,
    tls: readTlsFiles({ ...noTlsFiles, ca_file: caFile ?? "" }),
    authorization: authorizationOf(options),
  };
}

/** As they are printed: nobody has been asked what is there. */
function rulesOf({ rules, enableRules = false }: Options): DetectionRule[] | undefined {
  return rules ? detectionRules.map((rule) => ({ ...rule, enabled: enableRules })) : undefined;
}

/** @throws KW_SETUP_UNWRITABLE */
async function printFiles(folder: string, rules: DetectionRule[] | undefined): Promise<void> {
  const objects = kibanaObjects();
  if (folder === "-") {
    const all = { [`POST ${objectsPath}`]: objects, ...(rules ? { [`POST ${rulesPath}`]: rules } : {}) };
    return await print(`${JSON.stringify(all, undefined, 2)}\n`);
  }
  const files = [
    writeAsset(join(folder, objectsFile), ndjson(objects)),
    ...(rules ? [writeAsset(join(folder, rulesFile), ndjson(rules))] : []),
  ];
  for (const file of files) say(`wrote ${printable(file, 400)}`);
}

function say(text: string): void {
  process.stderr.write(`kinwatch: ${text}\n`);
}

/**
 * What an operator may set: kinwatch.toml. Each key stands here once, with its default, its unit and the reason;
 * docs/configuration.md says the same, and test/docs.test.ts compares. The program sees the names of the file. A leaf.
 */
import { dirname, resolve } from "node:path";
import { z } from "zod";
import { parseDuration } from "./duration.ts";
import { type Key, type KeyFacts, keyFacts, keysOf, readToml } from "./toml-schema.ts";
import { isMissing, readTrustedFile } from "./trusted-file.ts";

/** Where an installed kinwatch looks when nobody names a file. */
export const installedConfigPath = "/etc/kinwatch/kinwatch.toml";

const bytesMax = 1_048_576; // a full one has some hundred lines; more is the wrong file
const learnMsMin = 1_000;
const learnMsMax = 3_650 * 86_400_000;
const processesMin = 64;
const processesMax = 4_194_304; // PID_MAX_LIMIT on 64 bits (include/linux/threads.h): the kernel numbers no more

function key<S extends z.ZodType>(schema: S, facts: KeyFacts): S {
  keyFacts.add(schema, facts);
  return schema;
}

// PATH_MAX (4096) counts the final NUL: include/uapi/linux/limits.h
const path = z
  .string()
  .min(1)
  .refine((text) => Buffer.byteLength(text) < 4096 && !text.includes("\0"));
const pathExpects = "a path (a relative one starts at the folder of the configuration file)";

const optionalPath = () => z.union([z.literal(""), path]).default(""); // each key's own: its facts are kept by its schema
const fileExpects = `${pathExpects}, or "" for none`;

const urlsMax = 16; // nodes of one cluster that take bulk requests
const outboxMin = 1_048_576;
const outboxMax = 2 ** 40;
const prevalenceDaysMax = 365;
const timeoutMsMin = 1_000;
const timeoutMsMax = 600_000;

const disabledMax = 1_000;
const directoriesMax = 16; // each is read at a start and watched
const learnFrom = z.string().transform((text, context) => {
  if (text === "history" || text === "none") return text;
  const durationMs = parseDuration(text) ?? 0;
  if (durationMs >= learnMsMin && durationMs <= learnMsMax) return { durationMs };
  context.addIssue("no duration");
  return z.NEVER;
});

const timeout = z.string().transform((text, context) => {
  const ms = parseDuration(text) ?? 0;
  if (ms >= timeoutMsMin && ms <= timeoutMsMax) return ms;
  context.addIssue("no duration");
  return z.NEVER;
});

/** What is written in it would be in every message that names the server; a key has a place of its own. */
function isServerUrl(text: string): boolean {
  const url = URL.parse(text);
  if (url === null || !/^https?:$/.test(url.protocol)) return false;
  return url.username === "" && url.password === "" && url.search === "" && url.hash === "";
}

/** Only this host itself listens there: RFC 6761, section 6.3, and RFC 1122, section 3.2.1.3. */
export function isLoopback(url: string): boolean {
  const name = URL.parse(url)?.hostname ?? "";
  return name === "localhost" || name === "[::1]" || /^127\.\d+\.\d+\.\d+$/.test(name);
}

const elasticsearch = z
  .strictObject({
    enabled: key(z.boolean().default(false), {
      expects: "true or false",
      unit: undefined,
      purpose: "Send alerts, installations and the state of kinwatch to Elasticsearch.",
      reason: "it needs a server and a key",
    }),
    urls: key(
      z.array(z.string().refine(isServerUrl)).min(1).max(urlsMax).default(["https://localhost:9200"]),
      {
        expects: `a list of 1 to ${urlsMax} addresses such as "https://es.example.org:9200" without a user in them; http:// only for this host itself, or with allow_plain_http`,
        unit: undefined,
        purpose: "The nodes of one cluster. Another one is tried where one does not answer.",
        reason: "it is where a server listens that was started on this host for a trial",
      },
    ),
    allow_plain_http: key(z.boolean().default(false), {
      expects: "true or false",
      unit: undefined,
      purpose: "Allow http:// to other hosts: the key and all documents can be read on the way.",
      reason: "the key would be anybody's",
    }),
    namespace: key(
      z
        .string()
        .regex(/^[^A-Z\\/*?"<>| ,#:-]{1,100}$/)
        .default("default"),
      {
        expects:
          "1 to 100 characters that a data stream's name may have: small letters, digits, _ and such, no -",
        unit: undefined,
        purpose: "The last part of the names of the data streams, such as logs-kinwatch.alerts-default.",
        reason: "it is Elastic's own default",
      },
    ),
    api_key_file: key(path.default("/etc/kinwatch/api_key"), {
      expects: pathExpects,
      unit: undefined,
      purpose:
        "The file of the API key, encoded or as id:key, which only its owner may read. The systemd credential api_key goes before it.",
      reason: "it is beside the configuration of an installed kinwatch",
    }),
    ca_file: key(optionalPath(), {
      expects: fileExpects,
      unit: undefined,
      purpose:
        "The certificates (PEM) of the authorities that may sign the server's, in place of the host's own.",
      reason: "those of the host and those that Node.js brings along are trusted",
    }),
    ca_trusted_fingerprint: key(
      z
        .string()
        .regex(/^(?:[\da-f]{2}(?::?[\da-f]{2}){31})?$/i)
        .default(""),
      {
        expects: 'the SHA-256 of a certificate, 64 hexadecimal digits with or without colons, or "" for none',
        unit: undefined,
        purpose: "Trust the authority in the server's chain whose certificate has this fingerprint.",
        reason:
          "Elasticsearch prints one when it first starts; other servers have a ca_file or a public authority",
      },
    ),
    client_certificate_file: key(optionalPath(), {
      expects: fileExpects,
      unit: undefined,
      purpose: "The certificate (PEM) to show to a server or proxy that asks for one.",
      reason: "the API key says who we are",
    }),
    client_key_file: key(optionalPath(), {
      expects: `${fileExpects}; with client_certificate_file or not at all`,
      unit: undefined,
      purpose: "The key of that certificate (PEM, without a pass phrase), which only its owner may read.",
      reason: "as above",
    }),
    timeout: key(timeout.prefault("60s"), {
      expects: 'a duration from "1s" to "10m"',
      unit: undefined,
      purpose: "How long an answer may take before the same is asked again.",
      reason: "a busy server takes its time, and asking again only adds to it",
    }),
    outbox_bytes_max: key(z.int().min(outboxMin).max(outboxMax).default(1_073_741_824), {
      expects: `a whole number from ${outboxMin} to ${outboxMax}`,
      unit: "bytes",
      purpose:
        "How much may wait for the server. What is over goes, the oldest first: of installations, then of health, of alerts last; each is counted.",
      reason: "a day of ten documents a second fits, as they are kept compressed",
    }),
    prevalence: z
      .strictObject({
        enabled: key(z.boolean().default(false), {
          expects: "true or false",
          unit: undefined,
          purpose:
            "Ask the server, for each alert about an installation, on how many other hosts the like was seen.",
          reason: "it needs a key that may read what all hosts report",
        }),
        api_key_file: key(path.default("/etc/kinwatch/prevalence_api_key"), {
          expects: pathExpects,
          unit: undefined,
          purpose:
            "The file of that key, which only its owner may read. The systemd credential prevalence_api_key goes before it.",
          reason: "it is another key than the one that writes: a host needs not read",
        }),
        days: key(z.int().min(1).max(prevalenceDaysMax).default(30), {
          expects: `a whole number from 1 to ${prevalenceDaysMax}`,
          unit: "days",
          purpose: "How far back it is asked.",
          reason: "what a fleet did in a month tells what is usual, and costs the server little",
        }),
      })
      .prefault({}),
  })
  .superRefine(({ urls, allow_plain_http, client_certificate_file, client_key_file }, context) => {
    const plain = urls.findIndex((url) => url.startsWith("http:") && !isLoopback(url));
    if (!allow_plain_http && plain >= 0)
      context.addIssue({ code: "custom", path: ["urls", plain], message: "plain http" });
    if ((client_certificate_file === "") !== (client_key_file === ""))
      context.addIssue({ code: "custom", path: ["client_key_file"], message: "one without the other" });
  });

const schema = z.strictObject({
  source: z
    .strictObject({
      type: key(z.enum(["auto", "audit-log", "tracefs", "procfs"]).default("auto"), {
        expects: '"auto", "audit-log", "tracefs" or "procfs"',
        unit: undefined,
        purpose: "Where process executions are observed.",
        reason:
          "it takes the audit log where that can be read, which alone has outcomes and a past, else tracefs, else procfs",
      }),
      audit_log: key(path.default("/var/log/audit/audit.log"), {
        expects: pathExpects,
        unit: undefined,
        purpose: "The live audit log; rotated ones (audit.log.1, …) are found beside it.",
        reason: "it is the default of log_file in auditd.conf(5)",
      }),
      tracefs: key(z.boolean().default(true), {
        expects: "true or false",
        unit: undefined,
        purpose:
          "Listen to the kernel's tracepoints, where that can be had: who began a process, beside the audit log or in its stead.",
        reason: "of a parent that is dead, or executed nothing itself, audit does not tell",
      }),
    })
    .prefault({}),
  state: z
    .strictObject({
      directory: key(path.default("/var/lib/kinwatch"), {
        expects: pathExpects,
        unit: undefined,
        purpose: "The folder of the database: what was learned, the alerts, and how far the log is read.",
        reason: "what must outlive a reboot belongs below /var/lib (file-hierarchy(7))",
      }),
    })
    .prefault({}),
  learn: z
    .strictObject({
      from: key(learnFrom.default("history"), {
        expects:
          '"history", "none" or a duration from "1s" to "3650d", such as "7d" or "12h" (units ms, s, m, h, d, w)',
        unit: undefined,
        purpose:
          "What a first start takes for granted: the parents in the logs kept so far, none, or those of a time from then on.",
        reason:
          "the logs kept so far are learned at once; a time from then on is silent about new parents until it is over",
      }),
    })
    .prefault({}),
  rules: z
    .strictObject({
      disabled: key(
        z.array(z.string().min(1)).max(disabledMax).default(["0594c2cd-d829-4510-afb3-5657014b9653"]),
        {
          expects: `a list of at most ${disabledMax} rule ids (kinwatch rules show names them in full)`,
          unit: undefined,
          purpose: "Rules that are not asked.",
          reason:
            "the rule of Elastic's that kinwatch grew out of is there to compare; what it finds the installation rule tells already. A list given here replaces this one",
        },
      ),
      directories: key(z.array(path).max(directoriesMax).default(["/etc/kinwatch/rules.d"]), {
        expects: `a list of at most ${directoriesMax} paths (a relative one starts at the folder of the configuration file)`,
        unit: undefined,
        purpose:
          "Folders of rule files (*.toml), beside the built-in ones; one that does not exist is empty.",
        reason: "it is beside the configuration of an installed kinwatch",
      }),
    })
    .prefault({}),
  exceptions: z
    .strictObject({
      directory: key(path.default("/etc/kinwatch/exceptions.d"), {
        expects: pathExpects,
        unit: undefined,
        purpose:
          "The folder of exception files (*.toml), where exceptions add writes; one that does not exist is empty.",
        reason: "it is beside the configuration of an installed kinwatch",
      }),
    })
    .prefault({}),
  lineage: z
    .strictObject({
      processes_max: key(z.int().min(processesMin).max(processesMax).default(32_768), {
        expects: `a whole number from ${processesMin} to ${processesMax}`,
        unit: "processes",
        purpose: "How many processes are remembered; the oldest go first, counted as processes_evicted.",
        reason:
          "as many as the kernel numbers by default (PID_MAX_DEFAULT in include/linux/threads.h); few hosts run so many",
      }),
    })
    .prefault({}),
  output: z
    .strictObject({
      journald: z
        .strictObject({
          enabled: key(z.boolean().default(true), {
            expects: "true or false",
            unit: undefined,
            purpose: "Write each alert to the journal.",
            reason: "every systemd host has it, and it needs no network",
          }),
        })
        .prefault({}),
      stdout: z
        .strictObject({
          enabled: key(z.boolean().default(false), {
            expects: "true or false",
            unit: undefined,
            purpose: "Write each alert to standard output.",
            reason: "below systemd standard output is the journal, which has the alert already",
          }),
          format: key(z.enum(["pretty", "ndjson"]).default("pretty"), {
            expects: '"pretty" or "ndjson"',
            unit: undefined,
            purpose: "How: a few lines for people, or one ECS document a line.",
            reason: "a person turns this output on to look at it",
          }),
        })
        .prefault({}),
      elasticsearch: elasticsearch.prefault({}),
    })
    .prefault({}),
});

export type Config = z.output<typeof schema>;
export type LearnFrom = Config["learn"]["from"];
export type ElasticsearchConfig = Config["output"]["elasticsearch"];

/** Every key, in the order of the file. */
export const configKeys: readonly Key[] = keysOf(schema);

export const defaultConfig: Config = schema.parse({});

/**
 * @param file a configuration file that must exist; undefined: the defaults
 * @returns paths in it are absolute
 * @throws KW_CONFIG_UNREADABLE, KW_CONFIG_INSECURE, KW_CONFIG_INVALID
 */
export function loadConfig(file: string | undefined): Config {
  if (file === undefined) return structuredClone(defaultConfig);
  const config = readToml(readTrustedFile(file, bytesMax), file, schema);
  const folder = dirname(resolve(file));
  config.source.audit_log = resolve(folder, config.source.audit_log);
  config.state.directory = resolve(folder, config.state.directory);
  config.rules.directories = config.rules.directories.map((directory) => resolve(folder, directory));
  config.exceptions.directory = resolve(folder, config.exceptions.directory);
  const { elasticsearch } = config.output;
  for (const name of ["api_key_file", "ca_file", "client_certificate_file", "client_key_file"] as const)
    if (elasticsearch[name] !== "") elasticsearch[name] = resolve(folder, elasticsearch[name]);
  elasticsearch.prevalence.api_key_file = resolve(folder, elasticsearch.prevalence.api_key_file);
  return config;
}

/** The configuration of an installed kinwatch: its file may be missing, but then also no link may stand there. */
export function loadInstalledConfig(file = installedConfigPath): Config {
  return loadConfig(isMissing(file) ? undefined : file);
}

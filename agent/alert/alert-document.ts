/**
 * The ECS documents that alerts and events are: written once, read by every output and by `kinwatch alerts`. Field names are
 * ECS's; what ECS has no field for is under kinwatch. What each means: docs/alert-fields.md. ECS itself:
 * test/samples/ecs-fields.json.
 */

import type { EventHost } from "../events/event-host.ts";

/** What alerts and events share: an execution and how it came about. */
export interface ExecutionDocument {
  readonly "@timestamp": string; // of the execution, RFC 3339 with milliseconds, UTC
  readonly ecs: { readonly version: string };
  readonly event: EventDocument;
  readonly data_stream: DataStreamDocument;
  readonly process: ProcessDocument & {
    readonly parent?: ProcessDocument;
    readonly previous?: PreviousDocument; // the image before: exec without fork
    readonly entry_leader?: Partial<ProcessDocument> & { readonly entry_meta: { readonly type: string } };
    readonly session_leader?: ProcessDocument;
    readonly group_leader?: ProcessDocument;
    readonly env_vars?: readonly string[];
    readonly thread?: {
      readonly capabilities: { readonly effective: readonly string[]; readonly permitted: readonly string[] };
    };
  };
  readonly user?: UserDocument;
  readonly host?: HostDocument;
  readonly container?: ContainerDocument;
  readonly agent: AgentDocument;
  readonly related: { readonly user: readonly string[]; readonly hosts: readonly string[] };
  readonly package?: PackageDocument; // the first package; all of them: kinwatch.software_update
  readonly kinwatch: LineageDocument & { readonly rpm?: RpmDocument } & Partial<OutcomeDocument>;
}

export interface AlertDocument extends ExecutionDocument {
  readonly message: string; // the alert's name and what happened, one line
  readonly event: EventDocument & {
    readonly kind: "alert";
    readonly outcome: "success" | "failure" | "unknown";
    readonly severity: 21 | 47 | 73 | 99;
    readonly risk_score: number;
    readonly reason: string;
  };
  readonly rule: {
    readonly id: string;
    readonly uuid: string;
    readonly name: string;
    readonly description: string;
    readonly ruleset: "kinwatch" | "custom"; // custom: a file of this host
    readonly version: string;
  };
  readonly threat?: ThreatDocument;
  readonly tags?: readonly string[];
  readonly kinwatch: LineageDocument &
    OutcomeDocument & {
      readonly rpm?: RpmDocument; // absent when another tool installs (dnf and the like)
      readonly related_rule?: string; // id of the rule of Elastic's that asks the same
      readonly new_terms: readonly { readonly field: string; readonly value: readonly string[] }[];
      readonly first_seen: string;
      readonly held?: true; // above the limit of its rule: no output was handed it, a summary tells of it
      readonly summary?: SummaryDocument;
      readonly prevalence?: PrevalenceDocument; // absent: it is not asked for
      readonly coverage: Readonly<Record<string, number>>; // counters of loss when it was decided, those above 0
    };
}

/** On how many other hosts of the fleet the like was seen, of all that reported; docs/elasticsearch.md. */
export interface PrevalenceDocument {
  readonly status: "known" | "no answer in time" | "failed" | "not asked";
  readonly days: number; // back from then
  readonly hosts?: number;
  readonly fleet_hosts?: number;
}

/** Of alerts that were held back; the rest of the document is the first of them. */
export interface SummaryDocument {
  readonly held: number;
  readonly from: string; // the rule's interval, RFC 3339
  readonly until: string;
  readonly alerts: readonly string[]; // their ids, the first 100
}

export interface EventDocument {
  readonly kind: "alert" | "event";
  readonly category: readonly string[];
  readonly type: readonly string[];
  readonly action: string;
  readonly outcome?: "success" | "failure" | "unknown";
  readonly id: string;
  readonly module: "kinwatch";
  readonly dataset: string; // of the data stream
  readonly provider: string; // the source: audit-log, procfs, files
  readonly created: string; // when kinwatch decided; @timestamp when it reads stored logs
}

export interface DataStreamDocument {
  readonly type: "logs";
  readonly dataset: string;
  readonly namespace: string;
}

/** Of a program that runs now or ran, and of the script that it runs; absent where nobody asked. */
export interface OwnersDocument {
  readonly package_owner?: PackageOwnerDocument;
  readonly script_package_owner?: PackageOwnerDocument;
  readonly script_options_changed?: true; // its interpreter has others than its first line gives it
}

export interface PackageOwnerDocument {
  readonly result: "owned" | "none" | "unknown";
  readonly type?: "rpm" | "deb";
  readonly name?: string;
  readonly version?: string; // [epoch:]version-release
  readonly architecture?: string;
  readonly nevra?: string; // of rpm
  readonly reason?: string; // why it is not known
}

/** Absent on the host, and where nobody knows which it is. */
export interface ContainerDocument {
  readonly id: string;
  readonly name?: string;
  readonly runtime?: string;
  readonly image?: { readonly name: string };
}

export interface LineageDocument extends OwnersDocument {
  readonly container_from?: "process" | "ancestor" | "nobody"; // whose control group told of the container
  readonly container_unknown_reason?: string; // why its image is not known
  readonly parent_provenance: Provenance;
  readonly parent_unresolved_reason?: string;
  readonly login_user?: UserDocument; // who logged in, whoever the process runs as now: audit's auid
  readonly login_session?: string; // audit's ses
  readonly executable_deleted?: true; // the program's file was gone, or never had a name
  readonly arguments_from: "execve" | "proctitle" | "procfs" | "none";
  readonly arguments_complete: boolean;
  readonly ancestry: readonly AncestorDocument[]; // the parent first, pid 1 last where it is known
  readonly previous_images: readonly AncestorDocument[]; // what this pid ran before, the latest first: exec without fork
  readonly audit?: { readonly serial: number; readonly node?: string }; // of the execution's records, to find them again
}

export interface OutcomeDocument {
  readonly outcome: "pending" | "installed" | "failed" | "partly" | "none" | "unavailable" | "not applicable";
  // none: no record came in time; unavailable: this source has no outcome records; not applicable: nothing was installed
  readonly signature: "verified" | "not verified" | "partly" | "unknown"; // of all that was installed
  readonly package_count: number; // installed or updated; 0 until the outcome is known
  readonly software_update: readonly SoftwareUpdateDocument[]; // a record each, of removals too; 512 at most
}

export type Provenance = "recorded" | "procfs" | "inferred" | "unresolved";

export interface ProcessDocument {
  readonly entity_id?: string;
  readonly pid: number;
  readonly name?: string;
  readonly executable?: string;
  readonly args?: readonly string[];
  readonly args_count?: number;
  readonly command_line?: string;
  readonly working_directory?: string;
  readonly start?: string;
  readonly interactive?: boolean; // has a controlling terminal
  readonly tty?: { readonly char_device: { readonly major: number; readonly minor: number } };
  readonly user?: UserDocument;
  readonly group?: { readonly id: string };
}

export type PreviousDocument = Pick<ProcessDocument, "args" | "args_count" | "executable">;

export interface UserDocument {
  readonly id: string;
  readonly name?: string;
}

export interface AncestorDocument extends OwnersDocument {
  readonly entity_id: string;
  readonly pid: number;
  readonly executable?: string;
  readonly executable_deleted?: true;
  readonly script?: string;
  readonly command_line?: string;
  readonly started?: string;
  readonly provenance: Provenance;
}

export interface RpmDocument {
  readonly program: string;
  readonly mode: string;
  readonly flags: readonly string[];
  readonly test: boolean;
  readonly operands: readonly string[];
  readonly root?: string;
  readonly dbpath?: string;
  readonly certainty: "certain" | "possible";
}

export interface SoftwareUpdateDocument {
  readonly operation: "install" | "update" | "remove" | "unknown";
  readonly nevra: string;
  readonly name: string;
  readonly version: string; // epoch:version-release, as rpm writes it
  readonly architecture: string;
  readonly signature: "verified" | "not verified" | "unknown"; // gpg_res
  readonly signature_required?: boolean;
  readonly root: string;
  readonly outcome: "success" | "failure" | "unknown";
}

export interface PackageDocument {
  readonly name: string;
  readonly version?: string;
  readonly architecture?: string;
  readonly type: "rpm";
  readonly installed?: string; // when, if it was
}

export interface ThreatDocument {
  readonly framework: string;
  readonly tactic: {
    readonly id: readonly string[];
    readonly name: readonly string[];
    readonly reference: readonly string[];
  };
  readonly technique?: {
    readonly id: readonly string[];
    readonly name: readonly string[];
    readonly reference: readonly string[];
    readonly subtechnique?: {
      readonly id: readonly string[];
      readonly name: readonly string[];
      readonly reference: readonly string[];
    };
  };
}

/** Of a log that names no host its kind alone. */
export type HostDocument = EventHost;

export interface AgentDocument {
  readonly id?: string; // absent when stored logs are read
  readonly type: "kinwatch";
  readonly name?: string;
  readonly version: string;
  readonly ephemeral_id?: string;
}

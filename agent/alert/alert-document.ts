/**
 * The ECS document that an alert is: written once by ecs-alert.ts, read by every output and by `kinwatch alerts`.
 * Field names are ECS's; what ECS has no field for is under kinwatch. ECS itself: test/samples/ecs-fields.json.
 */
export interface AlertDocument {
  readonly "@timestamp": string; // of the execution, RFC 3339 with milliseconds, UTC
  readonly ecs: { readonly version: string };
  readonly message: string; // the alert's name and what happened, one line
  readonly event: {
    readonly kind: "alert";
    readonly category: readonly string[];
    readonly type: readonly string[];
    readonly action: string;
    readonly outcome: "success" | "failure" | "unknown";
    readonly id: string;
    readonly module: "kinwatch";
    readonly dataset: "kinwatch.alerts";
    readonly provider: string; // the source: audit-log, procfs
    readonly severity: 21 | 47 | 73 | 99;
    readonly risk_score: number;
    readonly reason: string;
    readonly created: string; // when kinwatch decided; @timestamp when it reads stored logs
  };
  readonly data_stream: {
    readonly type: "logs";
    readonly dataset: "kinwatch.alerts";
    readonly namespace: string;
  };
  readonly rule: {
    readonly id: string;
    readonly name: string;
    readonly description: string;
    readonly ruleset: "kinwatch";
    readonly version: string;
  };
  readonly threat: ThreatDocument;
  readonly tags: readonly string[];
  readonly process: ProcessDocument & { readonly parent?: ProcessDocument };
  readonly user?: UserDocument;
  readonly host: HostDocument;
  readonly agent: AgentDocument;
  readonly package?: PackageDocument; // the first package; all of them: kinwatch.software_update
  readonly related: { readonly user: readonly string[]; readonly hosts: readonly string[] };
  readonly kinwatch: {
    readonly new_terms: readonly { readonly field: string; readonly value: readonly string[] }[];
    readonly first_seen: string;
    readonly parent_provenance: Provenance;
    readonly parent_unresolved_reason?: string;
    readonly login_user?: string; // who logged in, whoever the process runs as now: audit's auid
    readonly ancestry: readonly AncestorDocument[]; // the parent first, pid 1 last where it is known
    readonly previous_images: readonly AncestorDocument[]; // what this pid ran before, the latest first: exec without fork
    readonly rpm?: RpmDocument; // absent when the installation is known by its records alone (dnf and the like)
    readonly software_update: readonly SoftwareUpdateDocument[]; // empty until the outcome is known
    readonly outcome: "pending" | "installed" | "failed" | "partly" | "none" | "unavailable";
    // none: no record came in time; unavailable: this source has no outcome records
    readonly coverage: Readonly<Record<string, number>>; // counters of loss when it was decided, those above 0
  };
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
  readonly interactive?: boolean;
  readonly user?: UserDocument;
}

export interface UserDocument {
  readonly id: string;
  readonly name?: string;
}

export interface AncestorDocument {
  readonly pid: number;
  readonly executable?: string;
  readonly script?: string;
  readonly command_line?: string;
  readonly started?: string;
  readonly provenance: Provenance;
}

export interface RpmDocument {
  readonly mode: string;
  readonly flags: readonly string[];
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
  readonly version: string;
  readonly architecture?: string;
  readonly type: "rpm";
}

export interface ThreatDocument {
  readonly framework: "MITRE ATT&CK";
  readonly tactic: {
    readonly id: readonly string[];
    readonly name: readonly string[];
    readonly reference: readonly string[];
  };
  readonly technique: {
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

export interface HostDocument {
  readonly id?: string;
  readonly name: string;
  readonly hostname: string;
  readonly architecture?: string;
  readonly ip?: readonly string[];
  readonly mac?: readonly string[];
  readonly os?: {
    readonly type?: "linux";
    readonly platform?: string;
    readonly name?: string;
    readonly version?: string;
    readonly kernel?: string;
    readonly full?: string;
  };
}

export interface AgentDocument {
  readonly id: string;
  readonly type: "kinwatch";
  readonly name?: string;
  readonly version: string;
  readonly ephemeral_id?: string;
}

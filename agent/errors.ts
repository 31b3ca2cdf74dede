/**
 * What can go wrong around kinwatch, each with a code that never changes its meaning. A leaf: imports nothing of ours.
 * Every code is a heading in docs/errors.md; test/docs.test.ts compares the two.
 */
export const errorCodes = [
  "KW_ALERT_UNKNOWN",
  "KW_ARGUMENT_INVALID",
  "KW_AUDIT_BACKLOG",
  "KW_AUDIT_LOG_GAP",
  "KW_AUDIT_LOG_MISSING",
  "KW_AUDIT_LOG_REPLACED",
  "KW_AUDIT_LOG_UNREADABLE",
  "KW_AUDIT_OFF",
  "KW_AUDIT_SILENT",
  "KW_AUDIT_UNATTENDED",
  "KW_BASELINE_DAMAGED",
  "KW_BASELINE_INSECURE",
  "KW_BASELINE_INVALID",
  "KW_BASELINE_NEWER",
  "KW_BASELINE_TERM_UNKNOWN",
  "KW_BASELINE_TOO_LARGE",
  "KW_BASELINE_UNREADABLE",
  "KW_BASELINE_UNWRITABLE",
  "KW_CONFIG_INSECURE",
  "KW_CONFIG_INVALID",
  "KW_CONFIG_UNREADABLE",
  "KW_ELASTICSEARCH_ANSWER_INVALID",
  "KW_ELASTICSEARCH_BUSY",
  "KW_ELASTICSEARCH_DOCUMENT_REFUSED",
  "KW_ELASTICSEARCH_FAILURE_STORE",
  "KW_ELASTICSEARCH_KEY_INSECURE",
  "KW_ELASTICSEARCH_KEY_INVALID",
  "KW_ELASTICSEARCH_KEY_UNREADABLE",
  "KW_ELASTICSEARCH_REFUSED",
  "KW_ELASTICSEARCH_STREAM_MISSING",
  "KW_ELASTICSEARCH_TLS_FILE",
  "KW_ELASTICSEARCH_UNREACHABLE",
  "KW_ELASTICSEARCH_UNTRUSTED",
  "KW_EXCEPTION_DUPLICATE",
  "KW_EXCEPTION_EMPTY",
  "KW_EXCEPTION_FIELD_UNUSABLE",
  "KW_EXCEPTION_INSECURE",
  "KW_EXCEPTION_KEY_MISSING",
  "KW_EXCEPTION_KEY_UNKNOWN",
  "KW_EXCEPTION_NOT_TOML",
  "KW_EXCEPTION_QUERY_INVALID",
  "KW_EXCEPTION_RULE_UNKNOWN",
  "KW_EXCEPTION_UNKNOWN",
  "KW_EXCEPTION_UNREADABLE",
  "KW_EXCEPTION_UNSERVED",
  "KW_EXCEPTION_UNWRITABLE",
  "KW_EXCEPTION_VALUE_INVALID",
  "KW_INPUT_INVALID",
  "KW_INPUT_UNREADABLE",
  "KW_JOURNALD_UNAVAILABLE",
  "KW_OUTBOX_FULL",
  "KW_OUTBOX_UNKNOWN",
  "KW_OUTPUT_CLOSED",
  "KW_OUTPUT_SLOW",
  "KW_PROCFS_UNREADABLE",
  "KW_RULE_DUPLICATE",
  "KW_RULE_FIELD_UNUSABLE",
  "KW_RULE_IGNORED",
  "KW_RULE_INSECURE",
  "KW_RULE_KEY_MISSING",
  "KW_RULE_KEY_UNKNOWN",
  "KW_RULE_NOT_TOML",
  "KW_RULE_QUERY_INVALID",
  "KW_RULE_UNKNOWN",
  "KW_RULE_UNREADABLE",
  "KW_RULE_UNSERVED",
  "KW_RULE_VALUE_INVALID",
  "KW_SELFTEST_IMPOSSIBLE",
  "KW_SETUP_CREDENTIAL_UNUSABLE",
  "KW_SETUP_KIBANA_OLD",
  "KW_SETUP_KIBANA_PARTLY",
  "KW_SETUP_KIBANA_REFUSED",
  "KW_SETUP_KIBANA_TOO_LARGE",
  "KW_SETUP_KIBANA_UNAUTHORIZED",
  "KW_SETUP_KIBANA_UNREACHABLE",
  "KW_SETUP_NOT_ELASTICSEARCH",
  "KW_SETUP_NOT_KIBANA",
  "KW_SETUP_PLAIN_HTTP",
  "KW_SETUP_REFUSED",
  "KW_SETUP_UNAUTHORIZED",
  "KW_SETUP_UNWRITABLE",
  "KW_STATE_CORRUPT",
  "KW_STATE_LOCKED",
  "KW_STATE_NEWER",
  "KW_STATE_OLDER",
  "KW_STATE_UNUSABLE",
  "KW_STATUS_UNAVAILABLE",
  "KW_TRACEFS_MISSING",
  "KW_TRACEFS_OFF",
  "KW_TRACEFS_REFUSED",
] as const;
export type ErrorCode = (typeof errorCodes)[number];

export class KinwatchError extends Error {
  override readonly name = "KinwatchError";
  readonly code: ErrorCode; // stable: logged as error.code, a heading in docs/errors.md, never reused
  /**
   * @param what what was tried, on what, and what came back, without a full stop
   * @param remedy what the reader does now, without a full stop
   */
  constructor(code: ErrorCode, what: string, remedy: string, options?: ErrorOptions) {
    super(`${what}. ${remedy}.`, options);
    this.code = code;
  }
}

/** Whether the system refused because of who asked. */
export function isDenied(error: unknown): boolean {
  return ["EACCES", "EPERM"].includes(systemCode(error));
}

/** The `code` of a system error ("ENOENT"), or its text when it has none. */
export function systemCode(error: unknown): string {
  if (error instanceof Error && "code" in error && typeof error.code === "string") return error.code;
  return error instanceof Error ? error.message : String(error);
}

/**
 * What was read, dropped, cut and let go, so that loss is visible. A leaf: imports nothing of ours.
 * Every counter is a heading in docs/counters.md; test/docs.test.ts compares the two.
 */
export const counterNames = [
  "bytes_read", // of audit logs
  "records_read", // lines of audit logs
  "records_malformed", // lines that are no audit record, or cut off; the first ones are kept as samples
  "records_late", // came after their event was complete
  "records_oversized", // longer than any record the kernel or a program can send; cut
  "events_read", // process executions
  "events_incomplete", // lacked a record when their time was up
  "arguments_truncated", // argument lists cut by the kernel or by our own bound
  "logs_rotated", // the live log was renamed and begun anew
  "logs_truncated", // the live log became shorter
  "logs_lost", // rotated away before they were read, or unreadable: the position was in none of the logs
  "kernel_records_lost", // by the kernel's audit itself, where it tells us
  "source_retries", // the log was missing or unreadable, and was tried again
  "processes_evicted", // pushed out of the full process table
  "terms_truncated", // events with more combinations of a rule's terms than were looked at
  "parents_unresolved", // no source knew the parent
  "traces_lost", // events of the kernel's tracepoints, overwritten before they were read
  "births_let_go", // of processes, pushed out of the full list of who began them
  "processes_missed", // the process table of /proc moved on by more than was seen
  "installs_read", // package installations
  "installs_without_outcome", // no SOFTWARE_UPDATE record came in time
  "outcomes_late", // SOFTWARE_UPDATE records that came after an installation's time was up
  "outcomes_let_go", // SOFTWARE_UPDATE records beyond the most that are kept of one installation
  "alerts_raised",
  "alerts_learned", // a new parent or term taken for granted while learning
  "alerts_excepted", // what a rule matched and an exception took out: neither alert nor history
  "alerts_held", // above the limit of their rule: stored, and told of in a summary
  "outputs_failed", // an output refused an alert, or was slow to take it; it is kept and tried again
  "terms_let_go", // pushed out of the full list of what was seen
  "alerts_let_go", // pushed out of the full store, after their delivery
  "outbox_let_go", // not handed over any more: too many waited for an output that refuses
  "shipments_delivered", // documents that Elasticsearch took, or had taken before
  "shipments_failure_stored", // of these, such as it put aside in its failure store
  "shipments_refused", // documents that Elasticsearch will never take as they are: set aside, to be looked at
  "shipments_failed", // tries to send documents that came to nothing or not to all; they are kept and tried again
  "shipments_alerts_let_go", // pushed out of the full outbox of Elasticsearch
  "shipments_health_let_go", // likewise
  "shipments_events_let_go", // likewise
  "log_lines_let_go", // lines of kinwatch's own log that standard error did not take
  "owners_asked", // files whose package was asked of the package database
  "owners_failed", // of those, for which it gave no answer: late, not understood, or it could not be asked
  "owners_let_go", // files that were not asked about: too many waited
] as const;
export type CounterName = (typeof counterNames)[number];

export type Counters = Record<CounterName, number>;

export function newCounters(): Counters {
  return Object.fromEntries(counterNames.map((name) => [name, 0])) as Counters;
}

/** Those that say that something was not seen, or not whole: an alert names them, and a summary does. */
export const lossNames = [
  "records_malformed",
  "records_oversized",
  "events_incomplete",
  "arguments_truncated",
  "logs_truncated",
  "logs_lost",
  "kernel_records_lost",
  "processes_evicted",
  "traces_lost",
  "processes_missed",
  "outcomes_let_go",
] as const satisfies readonly CounterName[];

/** @returns such as "logs_lost 1", of those of loss that are above zero */
export function lossesOf(counters: Counters): string[] {
  return lossNames.filter((name) => counters[name] > 0).map((name) => `${name} ${counters[name]}`);
}

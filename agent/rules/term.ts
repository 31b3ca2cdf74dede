/** What a rule asks of an event whether it is new: a value of one field, or of up to three together. */
export interface Term {
  readonly field: string; // "process.parent.executable"; several as "host.id,process.executable"
  readonly value: readonly string[]; // of each field; of process.parent and its like: executable and script, "" when there is none
}

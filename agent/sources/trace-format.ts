/**
 * Where the fields of a tracepoint's events lie, as the running kernel says: events/SYSTEM/NAME/format and events/header_page of
 * tracefs. kernel/trace/trace_events.c, f_show() and ring_buffer_print_page_header().
 */
export interface TraceField {
  readonly offset: number; // bytes
  readonly size: number;
}

export interface TraceFormat {
  readonly id: number; // common_type of its events
  readonly fields: ReadonlyMap<string, TraceField>;
}

const FIELD = /^\s*field:\s*(.*?)(\w+)(?:\[\d*\])?;\s*offset:(\d+);\s*size:(\d+);/;

/** @returns undefined when it has no ID, or lacks one of the fields */
export function readTraceFormat(text: string, needed: readonly string[]): TraceFormat | undefined {
  const id = Number(/^ID:\s*(\d+)$/m.exec(text)?.[1]);
  const fields = fieldsOf(text);
  if (!Number.isInteger(id) || needed.some((name) => !fields.has(name))) return undefined;
  return { id, fields };
}

export interface PageFormat {
  readonly commit: TraceField;
  readonly data: TraceField;
}

/** @returns undefined when it is of no form that is known */
export function readPageFormat(text: string): PageFormat | undefined {
  const fields = fieldsOf(text);
  const [commit, data] = [fields.get("commit"), fields.get("data")];
  return commit !== undefined && data !== undefined && commit.size >= 4 ? { commit, data } : undefined;
}

function fieldsOf(text: string): Map<string, TraceField> {
  const fields = new Map<string, TraceField>();
  for (const line of text.split("\n")) {
    const [, , name, offset, size] = FIELD.exec(line) ?? [];
    if (name !== undefined) fields.set(name, { offset: Number(offset), size: Number(size) });
  }
  return fields;
}

/** What a running daemon says of itself over its socket. */
import type { HealthPart } from "../alert/ecs-health.ts";

export interface LiveStatus {
  readonly pid: number;
  readonly version: string;
  readonly watches: string; // the log, or /proc
  readonly ready: boolean; // all that there was has been read once
  readonly problems: readonly { readonly code: string; readonly message: string }[]; // at the moment
  readonly health: HealthPart;
}

/** How the delivery to Elasticsearch stands, for `kinwatch status`, which reads it beside the daemon. */
import type { Store } from "../store/store.ts";

export interface ShippingState {
  readonly succeededMs?: number; // when the server took documents last, since the epoch
  readonly failed?: {
    readonly code: string;
    readonly message: string;
    readonly atMs: number;
    readonly retryAtMs: number;
  }; // absent: the last try was a success
}

const KEY = "shipping";

/** Within the caller's transaction. */
export function writeShippingState(store: Store, state: ShippingState): void {
  store.setMeta(KEY, JSON.stringify(state));
}

export function readShippingState(store: Store): ShippingState {
  return JSON.parse(store.meta(KEY) ?? "{}") as ShippingState;
}

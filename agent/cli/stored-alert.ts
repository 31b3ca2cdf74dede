/** One alert of the store, by what a person types of its id. */
import { KinwatchError } from "../errors.ts";
import { printable } from "../printable.ts";
import type { Store } from "../store/store.ts";
import { kinwatch } from "./checkout.ts";

/**
 * @param id or the beginning of it
 * @returns the document, JSON
 * @throws KW_ALERT_UNKNOWN where there is none, or more than one
 */
export function storedAlert(store: Store, id: string): string {
  const [document, another] = store.alerts(id);
  if (document !== undefined && another === undefined) return document;
  throw new KinwatchError(
    "KW_ALERT_UNKNOWN",
    `${document === undefined ? "No alert has" : "More than one alert has"} an id that begins with ${printable(id, 100)}`,
    `See ${kinwatch} alerts list`,
  );
}

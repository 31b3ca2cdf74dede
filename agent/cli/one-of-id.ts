/** The one that a person means by an id, or by the beginning of it. */
import { type ErrorCode, KinwatchError } from "../errors.ts";
import { printable } from "../printable.ts";
import { kinwatch } from "./checkout.ts";

/**
 * @param kind "rule": what they are called, and, with an s, the command that lists them
 * @throws the code where no id begins so, or more than one
 */
export function oneOfId<Item extends { readonly id: string }>(
  items: readonly Item[],
  id: string,
  { kind, code }: { readonly kind: string; readonly code: ErrorCode },
): Item {
  const found = items.filter((item) => item.id.startsWith(id));
  const item = found.find((one) => one.id === id) ?? (found.length === 1 ? found[0] : undefined);
  if (item !== undefined) return item;
  throw new KinwatchError(
    code,
    `${found.length === 0 ? `No ${kind} has` : `More than one ${kind} has`} an id that begins with ${printable(id, 100)}`,
    `See ${kinwatch} ${kind}s list`,
  );
}

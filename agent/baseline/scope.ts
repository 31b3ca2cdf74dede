/**
 * Of whom a rule remembers: the host that the log names, and the container's image on it. What is usual in one image is news in
 * another, and on the host. A container whose image is not known is of its own kind.
 *
 * Written as one text, "HOST image:NAME": a host's name has no blank, for audit's records end it there.
 */
export interface Scope {
  readonly host: string; // "": the one that is watched, or whose log names none
  readonly container: string | undefined; // "image:NAME", "container:ID", "container:unknown"
}

interface Contained {
  readonly id: string | undefined;
  readonly image: string | undefined;
}

export function scopeOf(host: string | undefined, contained: Contained | undefined): string {
  if (contained === undefined) return host ?? "";
  const { id, image } = contained;
  const container = image === undefined ? `container:${id ?? "unknown"}` : `image:${imageName(image)}`;
  return joinScope({ host: host ?? "", container });
}

export function joinScope({ host, container }: Scope): string {
  return container === undefined ? host : `${host} ${container}`;
}

export function splitScope(scope: string): Scope {
  const [, host, container] = /^(\S*) ((?:image|container):.+)$/s.exec(scope) ?? [];
  return host === undefined ? { host: scope, container: undefined } : { host, container };
}

/** Without its tag and digest: the next version of an image is no other program. An id is its own name. */
export function imageName(reference: string): string {
  if (/^(?:sha256:)?[\da-f]{12,64}$/.test(reference)) return reference;
  return reference.replace(/@[^@/]*$/, "").replace(/:[^:/]*$/, "");
}

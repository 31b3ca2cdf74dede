/** Whom a process runs as, and who logged in: by the name that its source told, else by the one that it has on its host now. */
import type { ExecEvent } from "./exec-event.ts";

/** What a user of a host is called: of this one, or of another that a log names. undefined: nobody knows */
export type NameUser = (uid: number, node: string | undefined) => string | undefined;

export function userNameOf({ uid, userName, node }: ExecEvent, nameUser: NameUser): string | undefined {
  return uid === undefined ? undefined : (userName ?? nameUser(uid, node));
}

export function loginNameOf({ auid, loginName, node }: ExecEvent, nameUser: NameUser): string | undefined {
  return auid === undefined ? undefined : (loginName ?? nameUser(auid, node));
}

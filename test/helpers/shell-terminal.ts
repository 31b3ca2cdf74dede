/** A shell in a terminal, where a person types: zsh's own pseudo-terminal (zshmodules(1), zpty) starts it and reads what it shows. */
import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { findProgram } from "./real-parts.ts";

const driver = `zmodload zsh/zpty
zpty -e t "COLUMNS=200 LINES=100 $1"
zpty -w t "$2; PS1=re''ady" # the prompt comes when it reads keys; before that they would be lost
zpty -r t text "*ready*"
zpty -w -n t "$3"
shown=
for ((i = 0; i < 200; i++)); do
  while zpty -rt t text; do shown+=$text; done
  [[ $shown != *"$4"* ]] || { sleep 0.2; while zpty -rt t text; do shown+=$text; done; break; }
  sleep 0.05
done
print -rn -- "$shown"
zpty -d t`;

export interface Typed {
  readonly shell: string; // its command line: interactive, without files of the user's
  readonly setup: string; // a line that it is given first
  readonly keys: string;
  readonly until: string; // is looked for in what it shows then, for 10 s
  readonly home: string;
}

/** @returns what the terminal shows from the first key on */
export function typeInTerminal({ shell, setup, keys, until, home }: Typed): string {
  const env = { ...process.env, HOME: home, TERM: "dumb", LC_ALL: "C.UTF-8" };
  const args = ["-f", "-c", driver, "zsh", shell, setup, keys, until];
  const { stdout, error } = spawnSync(findProgram("zsh") ?? "", args, {
    encoding: "utf8",
    timeout: 30_000,
    env,
  });
  assert.equal(error, undefined);
  return stdout;
}

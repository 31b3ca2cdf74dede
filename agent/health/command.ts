/** Asks a program of the host a question: no shell, a time limit, and the language that parsers know. */
import { execFile } from "node:child_process";
import { accessSync, constants } from "node:fs";

export interface Answer {
  readonly ok: boolean;
  readonly stdout: string;
  readonly stderr: string;
}

const folders = ["/usr/sbin", "/sbin", "/usr/bin", "/bin"]; // not those of PATH: we may be root
const msMax = 5_000; // an answer takes some milliseconds; rpm waits for a locked database
const bytesMax = 4_194_304;

export function findProgram(name: string): string | undefined {
  return folders.map((folder) => `${folder}/${name}`).find(isExecutable);
}

/** @returns undefined when there is no such program */
export async function ask(name: string, args: readonly string[]): Promise<Answer | undefined> {
  const file = findProgram(name);
  if (file === undefined) return undefined;
  const options = {
    timeout: msMax,
    killSignal: "SIGKILL",
    maxBuffer: bytesMax,
    env: { PATH: folders.join(":"), LC_ALL: "C", HOME: process.env["HOME"] ?? "/" },
  } as const;
  return await new Promise((resolve) => {
    const child = execFile(file, args, options, (error, stdout, stderr) => {
      resolve({ ok: error === null, stdout, stderr: stderr || (error?.message ?? "") });
    });
    child.stdin?.end();
  });
}

function isExecutable(path: string): boolean {
  try {
    accessSync(path, constants.X_OK);
    return true;
  } catch {
    return false;
  }
}

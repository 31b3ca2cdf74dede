/** Runs the command as a user does: a process of its own, judged by its output and exit code. */
import { type ChildProcess, spawn } from "node:child_process";
import { fileURLToPath } from "node:url";

/** KINWATCH_PROGRAM: another one than the sources, such as the bundle. */
export const program =
  process.env["KINWATCH_PROGRAM"] ?? fileURLToPath(new URL("../../agent/cli/kinwatch.js", import.meta.url));

export interface Ended {
  readonly status: number | null; // null: ended by a signal
  readonly stdout: string;
  readonly stderr: string;
}

export interface RunOptions {
  readonly input?: string | Buffer;
  readonly timeoutMs?: number;
  readonly killAfterMs?: number; // SIGKILL, at a moment of the test's choice
  readonly prefix?: readonly string[]; // a command line that runs another: setpriv …, nsenter …
  readonly cwd?: string;
  readonly env?: Readonly<Record<string, string>>;
}

/** A command that ends by itself. */
export async function kinwatch(args: readonly string[], options: RunOptions = {}): Promise<Ended> {
  const running = startKinwatch(args, options);
  const timer = setTimeout(
    () => running.child.kill("SIGKILL"),
    options.killAfterMs ?? options.timeoutMs ?? 60_000,
  );
  try {
    return await running.ended;
  } finally {
    clearTimeout(timer);
  }
}

/** A command that runs until it is stopped. */
export class Running implements AsyncDisposable {
  readonly child: ChildProcess;
  readonly ended: Promise<Ended>;
  stdout = "";
  stderr = "";
  #changed: () => void = () => {};

  constructor(child: ChildProcess) {
    this.child = child;
    child.stdout?.setEncoding("utf8").on("data", (text: string) => {
      this.stdout += text;
      this.#changed();
    });
    child.stderr?.setEncoding("utf8").on("data", (text: string) => {
      this.stderr += text;
      this.#changed();
    });
    this.ended = new Promise((resolve, reject) => {
      child.on("error", reject);
      child.on("close", (status) => {
        resolve({ status, stdout: this.stdout, stderr: this.stderr });
        this.#changed();
      });
    });
  }

  /** Waits for an output that matches, counted from `from` characters on. */
  async until(
    stream: "stdout" | "stderr",
    pattern: RegExp,
    { timeoutMs = 20_000, from = 0 } = {},
  ): Promise<RegExpExecArray> {
    const endMs = performance.now() + timeoutMs;
    for (;;) {
      const found = pattern.exec(this[stream].slice(from));
      if (found) return found;
      const leftMs = endMs - performance.now();
      if (leftMs <= 0 || this.child.exitCode !== null) {
        throw new Error(
          `${pattern} did not come on ${stream}; stdout:\n${this.stdout}\nstderr:\n${this.stderr}`,
        );
      }
      await new Promise<void>((resolve) => {
        const timer = setTimeout(resolve, Math.min(leftMs, 200));
        this.#changed = () => {
          clearTimeout(timer);
          resolve();
        };
      });
    }
  }

  async kill(signal: NodeJS.Signals): Promise<Ended> {
    this.child.kill(signal);
    return await this.ended;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    if (this.child.exitCode === null && this.child.signalCode === null) await this.kill("SIGKILL");
  }
}

export function startKinwatch(args: readonly string[], options: RunOptions = {}): Running {
  const [file = "", ...rest] = [...(options.prefix ?? []), process.execPath, program, ...args];
  const child = spawn(file, rest, {
    stdio: ["pipe", "pipe", "pipe"],
    ...(options.cwd === undefined ? {} : { cwd: options.cwd }),
    env: { ...process.env, NO_COLOR: "1", ...options.env },
  });
  child.stdin?.on("error", () => {}); // it may end before it has read all
  child.stdin?.end(options.input ?? "");
  return new Running(child);
}

import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { once } from "node:events";
import { PassThrough } from "node:stream";
import { test } from "node:test";
import { ndjsonOutput } from "../../agent/outputs/ndjson.ts";
import { terminalOutput, textOptions } from "../../agent/outputs/terminal.ts";
import { completedAlert, raisedAlert, rpmImage } from "../helpers/alerts.ts";

/** A stream, and what came out of it since the last question. */
function stream(): { to: NodeJS.WriteStream; text: () => string } {
  const through = new PassThrough();
  const chunks: Buffer[] = [];
  through.on("data", (bytes: Buffer) => chunks.push(bytes));
  return {
    to: through as unknown as NodeJS.WriteStream,
    text: () => Buffer.concat(chunks.splice(0)).toString(),
  };
}

test("ndjsonOutput(): one complete document a line, and nothing while its outcome is awaited", async () => {
  const { to, text } = stream();
  const output = ndjsonOutput(to);
  await output.raised?.(raisedAlert());
  await output.completed(completedAlert());
  await output.completed(completedAlert());
  const lines = text().split("\n");
  assert.equal(lines.pop(), "");
  for (const line of lines) assert.deepEqual(JSON.parse(line), JSON.parse(JSON.stringify(completedAlert())));
  assert.equal(lines.length, 2);
});

test("terminalOutput(): at once, and the outcome when it comes", async () => {
  const { to, text } = stream();
  const output = terminalOutput(to, "at once");
  await output.raised?.(raisedAlert());
  assert.match(text(), /^● MEDIUM .*\n\n$/s);
  await output.completed(completedAlert());
  assert.match(text(), /^○ kw-a-1\.0-1\.noarch installed.*\n\n$/s);
});

test("terminalOutput(): says but once that no outcome will come", async () => {
  const { to, text } = stream();
  const output = terminalOutput(to, "at once");
  const image = rpmImage({ source: "procfs" });
  await output.raised?.(raisedAlert(image));
  assert.match(text(), /outcome {2}not known: this source has no outcome records/);
  await output.completed(completedAlert(image, []));
  assert.equal(text(), "");
});

test("terminalOutput(): stored logs' alerts are shown whole", async () => {
  const { to, text } = stream();
  const output = terminalOutput(to, "complete");
  await output.raised?.(raisedAlert());
  assert.equal(text(), "");
  await output.completed(completedAlert());
  assert.match(text(), /^● MEDIUM .*outcome {2}installed\n.*kw-a-1\.0-1\.noarch {2}installed.*\n\n$/s);
});

test("textOptions(): no colours and 80 columns where there is no terminal", () => {
  assert.deepEqual(textOptions(stream().to), { width: 80, colour: false });
});

const writing = `
  import { ndjsonOutput } from ${JSON.stringify(new URL("../../agent/outputs/ndjson.ts", import.meta.url).href)};
  import { completedAlert } from ${JSON.stringify(new URL("../helpers/alerts.ts", import.meta.url).href)};
  const output = ndjsonOutput(process.stdout);
  let sent = 0;
  const codes = [];
  while (codes.length < 2) {
    await output.completed(completedAlert()).then(() => (sent += 1), (error) => codes.push(error.code));
  }
  console.error(JSON.stringify({ sent: sent > 0, codes }));`;

test("ndjsonOutput(): a reader that leaves is told as such, each time, and ends nothing", async () => {
  const child = spawn(process.execPath, ["--input-type=module-typescript", "-e", writing], {
    stdio: ["ignore", "pipe", "pipe"],
  });
  const told: Buffer[] = [];
  child.stderr.on("data", (bytes: Buffer) => told.push(bytes));
  await once(child.stdout, "data");
  child.stdout.destroy();
  const [status] = await once(child, "close");
  assert.equal(status, 0, Buffer.concat(told).toString());
  assert.deepEqual(JSON.parse(Buffer.concat(told).toString()), {
    sent: true,
    codes: ["KW_OUTPUT_CLOSED", "KW_OUTPUT_CLOSED"],
  });
});

/** Every help, as a person in a checkout reads it at a terminal of 80 columns. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { textWidth } from "../../agent/outputs/text-width.ts";
import { kinwatch } from "../helpers/kinwatch.ts";

/** The help of a command and of all below it. */
async function helps(...command: readonly string[]): Promise<[command: string, text: string][]> {
  const { stdout, stderr, status } = await kinwatch([...command, "--help"]);
  assert.equal(status, 0, stderr);
  const list = stdout.split("\nCommands:\n")[1]?.split("\n\n")[0] ?? "";
  const below = [...list.matchAll(/^ {2}([a-z]\S*)/gm)].map(([, name = ""]) => name);
  const found: [command: string, text: string][] = [[command.join(" "), stdout]];
  for (const name of below) if (name !== "help") found.push(...(await helps(...command, name)));
  return found;
}

test("kinwatch --help: no line of any command is wider than 80 columns, and what it shows can be typed", async () => {
  const all = await helps();
  const commands = all.map(([command]) => command);
  for (const one of ["", "run", "check", "alerts", "alerts show", "baseline list", "explain-command"]) {
    assert.ok(commands.includes(one), `found ${one}: ${commands}`);
  }
  for (const [command, text] of all) {
    const wide = text.split("\n").filter((line) => textWidth(line) > 80);
    assert.deepEqual(wide, [], command);
    assert.match(text, new RegExp(`^Usage: npm run -s kinwatch -- ${command}`));
    const bare = commands.filter((name) => name !== "" && text.includes(`kinwatch ${name}`));
    assert.deepEqual(bare, [], `${command}: a checkout is not on the PATH`);
  }
});

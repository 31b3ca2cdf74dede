/**
 * The reading of rpm's command line against rpm itself: random lines are run in a private world, and what rpm did is
 * compared with what was said. KINWATCH_SEED=n tries other lines.
 */
import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import { readRpmAliases } from "../../agent/packages/popt-files.ts";
import type { RpmAliases } from "../../agent/packages/rpm-aliases.ts";
import { type RpmCommandLine, readRpmCommandLine } from "../../agent/packages/rpm-command-line.ts";
import { needs } from "../helpers/real-parts.ts";
import { randomLine } from "../helpers/rpm-lines.ts";
import { type RealRun, RpmWorld } from "../helpers/rpm-world.ts";
import { seededRandom } from "../helpers/seeded-random.ts";

const userAliases = `rpm alias --sneaky -i
r?m alias -z -vh
rpm alias -y --define
rpm alias --first --second
rpm alias --second --first
rpm alias --gone --define 'q !#:+' -e
rpm alias --rest -i --
rpm alias --argless --root
foo alias --foo -U
rpm exec --became rpmkeys --list
`;
const linesWanted = 800;
const installModes = ["install", "upgrade", "freshen", "reinstall"];
const skip = needs("root", "rpm", "rpmbuild");
let world: RpmWorld;
let aliases: RpmAliases;

before(() => {
  if (skip !== false) return;
  world = new RpmWorld(userAliases);
  aliases = readRpmAliases("/", world.home);
});
after(() => world?.[Symbol.dispose]());

/** What of the reading is at odds with the run; undefined when nothing is. */
function disagreement(said: RpmCommandLine, real: RealRun, operandsAreGood: boolean): string | undefined {
  const { mode, installs, flags } = said;
  const installing = installModes.includes(mode);
  const refused =
    /: (?:unknown option|missing argument|option does not take)|may only be|must begin with|only one of/;
  const missing = /no (?:packages|arguments) given for (\w+)/.exec(real.stderr)?.[1];
  if (real.status === null) return mode === "rejected" ? undefined : "rpm hangs";
  if ((real.became !== undefined) !== (said.program !== "rpm")) return `rpm became ${real.became}`;
  if (real.gained > 0 && !installs) return "rpm installed";
  if (real.lost > real.gained && (mode !== "erase" || said.test)) return "rpm erased";
  if (refused.test(real.stderr) && mode !== "rejected") return `rpm refused: ${real.stderr}`;
  if (missing !== undefined && missing !== (installing ? "install" : mode)) return `rpm wanted to ${missing}`;
  if (mode === "rejected" && real.status === 0 && said.packages.length > 0) return "rpm did something";
  if (["version", "help", "querytags", "showrc"].includes(mode))
    return real.status === 0 && real.stdout !== "" ? undefined : "rpm did not print";
  if (!operandsAreGood) return undefined;
  if (flags.includes("nodb")) return undefined;
  if (mode === "erase" && !said.test && real.lost === 0) return "rpm erased nothing";
  if (!installs) return undefined;
  if (real.gained === 0) return "rpm installed nothing";
  const replaces = mode === "upgrade" || mode === "freshen";
  return replaces === real.lost > 0 ? undefined : `the older package was ${real.lost ? "" : "not "}replaced`;
}

/**
 * Operands that rpm finds: for an installation each word that can be a file, for an erasure the installed name. And a
 * database that we look at.
 */
function areGood(said: RpmCommandLine): boolean {
  if (!["/", world.root].includes(said.root ?? "/")) return false;
  if (said.argv.some((arg) => /^--target(?:=(?!noarch)|$)/.test(arg))) return false; // no package fits a target "%{"
  if (said.dbpath !== null && said.dbpath !== world.otherDatabase) return false;
  if (said.packages.length === 0) return false;
  if (said.mode === "erase") return said.packages.every((operand) => operand === "kw");
  return said.packages.every((operand) => /^[\w=%. (]+$/.test(operand) || /^-\w/.test(operand));
}

async function compare(argv0: string, args: readonly string[]): Promise<string | undefined> {
  const said = readRpmCommandLine({ argv: [argv0, ...args], executable: "/usr/bin/rpm" }, aliases);
  assert.ok(said);
  let real = await world.run(argv0, args);
  if (real.status === null && said.mode !== "rejected") real = await world.run(argv0, args); // a busy machine
  const found = disagreement(said, real, areGood(said));
  return found && `${JSON.stringify([argv0, ...args])} was read as ${said.mode}, but ${found}`;
}

test("readRpmCommandLine(): agrees with what rpm does", { skip, timeout: 300_000 }, async () => {
  const seed = Number(process.env["KINWATCH_SEED"] ?? 1);
  const random = seededRandom(seed);
  const parts = {
    operands: ["kw"],
    root: world.root,
    database: world.otherDatabase,
    path: world.relocation,
    aliases: "--sneaky -iz -zi --first --gone --gone=v --rest --argless --foo --became -y -iy".split(" "),
  };
  const disagreements: string[] = [];
  const seen = new Set<string>();
  while (seen.size < linesWanted) {
    const args = randomLine(random, parts);
    if (seen.has(args.join("\n"))) continue;
    seen.add(args.join("\n"));
    // No rpm may be led out of its world.
    for (const arg of args) assert.ok(!arg.includes("/") || arg.includes(world.folder), arg);
    const chance = random();
    const argv0 = chance < 0.9 ? "rpm" : chance < 0.93 ? "rpmquery" : chance < 0.95 ? "/x/rpmverify" : "foo";
    const found = await compare(argv0, args);
    if (found !== undefined) disagreements.push(found);
  }
  assert.deepEqual(disagreements, [], `seed ${seed}`);
});

test("readRpmCommandLine(): flag posixUnknown where POSIXLY_CORRECT changes what rpm does", {
  skip,
}, async () => {
  const rows = [
    { args: ["kw", "-U"], installed: [true, false], flagged: true },
    { args: ["-U", "kw"], installed: [true, true], flagged: false },
    { args: ["-U", "kw", "--test"], installed: [false, true], flagged: true },
    { args: ["-U", "--nodeps", "kw", "-v"], installed: [true, true], flagged: false },
  ];
  for (const { args, installed, flagged } of rows) {
    const free = await world.run("rpm", args);
    const posix = await world.run("rpm", args, { POSIXLY_CORRECT: "1" });
    assert.deepEqual([free.gained > 0, posix.gained > 0], installed, args.join(" "));
    const said = readRpmCommandLine({ argv: ["rpm", ...args], executable: "/usr/bin/rpm" }, aliases);
    assert.equal(said?.flags.includes("posixUnknown"), flagged, args.join(" "));
  }
});

/**
 * The programs that come with rpm. rpm, rpmquery and rpmverify are one: the kernel's name of the file decides that it is
 * rpm, argv[0] what rpm makes of it. The others neither install nor remove packages (rpmdb --importdb writes headers that
 * it is fed into the database, which no package manager does outside of a conversion).
 * Sources: rpmkeys(8), rpmdb(8), rpmsign(8), rpmspec(8), rpmbuild(8).
 */
const modesOf: Readonly<Record<string, readonly string[]>> = {
  rpmkeys: ["checksig", "import", "delete", "erase", "export", "list", "rebuild"],
  rpmdb: ["initdb", "rebuilddb", "verifydb", "exportdb", "importdb", "salvagedb"],
  rpmsign: ["addsign", "resign", "delsign", "delfilesign", "signfiles"],
  rpmspec: ["query", "parse", "shell"],
  rpmbuild: ["rebuild", "recompile"],
};
const shortOptions: Readonly<Record<string, string>> = { K: "checksig", e: "delete", q: "query", P: "parse" };

export type RpmProgram = "rpm" | "rpmkeys" | "rpmdb" | "rpmsign" | "rpmspec" | "rpmbuild";

/** @param executable its path; undefined when it is none of rpm's programs */
export function rpmProgram(executable: string): RpmProgram | undefined {
  const name = executable.slice(executable.lastIndexOf("/") + 1);
  if (name === "rpm" || name === "rpmquery" || name === "rpmverify") return "rpm";
  return Object.hasOwn(modesOf, name) ? (name as RpmProgram) : undefined;
}

/** The mode of one of rpm's other programs: its first mode option, "build" for rpmbuild without one. */
export function siblingMode(program: Exclude<RpmProgram, "rpm">, args: readonly string[]): string {
  for (const arg of args) {
    if (arg === "--") break;
    const option = /^--([^=]+)/.exec(arg)?.[1] ?? shortOptions[/^-([A-Za-z])/.exec(arg)?.[1] ?? ""];
    if (option === "version" || option === "help") return option;
    if (option !== undefined && modesOf[program]?.includes(option)) return option;
  }
  return program === "rpmbuild" ? "build" : "rejected";
}

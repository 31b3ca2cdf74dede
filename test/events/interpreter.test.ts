import assert from "node:assert/strict";
import { test } from "node:test";
import { scriptArgument } from "../../agent/events/interpreter.ts";

const rows: readonly { why: string; name?: string; line: string; want: string | undefined }[] = [
  { why: "a script", line: "bash run.sh -x", want: "run.sh" },
  { why: "options before it", line: "bash -eu -o pipefail run.sh", want: "run.sh" },
  { why: "an option with o among others", line: "bash -euo pipefail run.sh", want: "run.sh" },
  { why: "options that are switched off", line: "bash +x run.sh", want: "run.sh" },
  { why: "code", line: "bash -ec true run.sh", want: undefined },
  { why: "standard input, with arguments", line: "sh -s one", name: "dash", want: undefined },
  { why: "a login shell", line: "-bash", name: "bash", want: undefined },
  { why: "-- before a name with a dash", line: "sh -- -run", name: "dash", want: "-run" },
  { why: "a shell's - is its --", line: "bash - run.sh", want: "run.sh" },
  { why: "a start file is not the script", line: "bash --rcfile rc run.sh", want: "run.sh" },
  { why: "python with options", name: "python3.11", line: "python3 -I -W ignore run.py", want: "run.py" },
  { why: "an attached value with an m in it", name: "python3", line: "python3 -Wim run.py", want: "run.py" },
  { why: "a module", name: "platform-python3.6", line: "python3 -Im pip install x", want: undefined },
  { why: "python's - is standard input", name: "python3", line: "python3 - run.py", want: undefined },
  { why: "perl with a library", name: "perl", line: "perl -Imodule -w run.pl", want: "run.pl" },
  { why: "perl's code", name: "perl", line: "perl -lne print file", want: undefined },
  { why: "ruby with a library", name: "ruby", line: "ruby -rset -I lib run.rb", want: "run.rb" },
  { why: "node with a loader", name: "node", line: "node --import tsx run.js", want: "run.js" },
  { why: "node's code", name: "node", line: "node -e 1 run.js", want: undefined },
  { why: "php -f", name: "php8.2", line: "php -d a=b -f run.php", want: "run.php" },
  { why: "lua runs code and a script", name: "lua5.4", line: "lua -e x=1 run.lua", want: "run.lua" },
  { why: "awk's code is no file", name: "mawk", line: "awk {print} data", want: undefined },
  { why: "awk's file", name: "gawk", line: "awk -v a=b -f run.awk data", want: "run.awk" },
  { why: "busybox by its own name", name: "busybox", line: "/bin/busybox sh -e run.sh", want: "run.sh" },
  { why: "busybox by a link", name: "busybox", line: "/bin/sh run.sh", want: "run.sh" },
  { why: "busybox as a login shell", name: "busybox", line: "-sh", want: undefined },
  { why: "busybox as another tool", name: "busybox", line: "ls run.sh", want: undefined },
  { why: "busybox of busybox of busybox", name: "busybox", line: "busybox busybox busybox", want: undefined },
  {
    why: "the loader",
    name: "ld-linux-x86-64.so.2",
    line: "/lib64/ld-linux-x86-64.so.2 --argv0 x /usr/bin/rpm -i",
    want: "/usr/bin/rpm",
  },
  { why: "no interpreter", name: "ls", line: "ls run.sh", want: undefined },
];
for (const { why, name = "bash", line, want } of rows) {
  test(`scriptArgument(): ${why}: ${line}`, () => {
    assert.equal(scriptArgument(name, line.split(" ")), want);
  });
}

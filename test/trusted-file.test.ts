import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import {
  chmodSync,
  chownSync,
  lchownSync,
  mkdirSync,
  mkdtempSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test } from "node:test";
import { isMissing, readTrustedFile, readTrustedFolder, type TrustedUse } from "../agent/trusted-file.ts";
import { needs } from "./helpers/real-parts.ts";

/** A folder with a good file; what is done to it decides. */
const rows: {
  why: string;
  asRoot?: boolean;
  arrange: (folder: string) => string;
  want: "read" | RegExp;
}[] = [
  {
    why: "reads a file that only its owner can write",
    arrange: (folder) => join(folder, "etc/file"),
    want: "read",
  },
  {
    why: "follows a link to such a file",
    arrange: (folder) => link(join(folder, "etc/file"), join(folder, "link")),
    want: "read",
  },
  {
    why: "follows relative links, and .. from where they lead",
    arrange: (folder) => {
      mkdirSync(join(folder, "etc/deep"), { mode: 0o755 });
      link("etc/deep", join(folder, "link"));
      return `${folder}/link/../file`; // join() would take the ".." away
    },
    want: "read",
  },
  {
    why: "refuses a file that its group can write",
    arrange: (folder) => mode(0o664, join(folder, "etc/file")),
    want: /^KW_CONFIG_INSECURE: .* others may write .*\/file \(mode 0664\)\. .*chmod go-w .*\/file/,
  },
  {
    why: "refuses a file that anybody can write",
    arrange: (folder) => mode(0o602, join(folder, "etc/file")),
    want: /^KW_CONFIG_INSECURE: .*mode 0602/,
  },
  {
    why: "refuses a folder in which anybody can put another file in its place",
    arrange: (folder) => join(mode(0o777, join(folder, "etc")), "file"),
    want: /^KW_CONFIG_INSECURE: .*\/etc \(mode 0777\)/,
  },
  {
    why: "refuses a folder further up in which anybody can put another folder",
    arrange: (folder) => join(mode(0o777, folder), "etc/file"),
    want: /^KW_CONFIG_INSECURE: .*mode 0777/,
  },
  {
    why: "reads in a folder like /tmp: there only the owner can replace his file",
    arrange: (folder) => join(mode(0o1777, join(folder, "etc")), "file"),
    want: "read",
  },
  {
    why: "refuses a link to a bad file",
    arrange: (folder) => link(mode(0o666, join(folder, "etc/file")), join(folder, "link")),
    want: /^KW_CONFIG_INSECURE: .*mode 0666/,
  },
  {
    why: "refuses a good file behind a link that anybody can replace",
    arrange: (folder) => {
      mkdirSync(join(folder, "open"));
      return link(join(folder, "etc/file"), join(mode(0o777, join(folder, "open")), "link"));
    },
    want: /^KW_CONFIG_INSECURE: .*\/open \(mode 0777\)/,
  },
  {
    why: "refuses a file of somebody else",
    asRoot: true,
    arrange: (folder) => owner(join(folder, "etc/file")),
    want: /^KW_CONFIG_INSECURE: .*belongs to user 65534\. .*chown root/,
  },
  {
    why: "refuses a folder of somebody else",
    asRoot: true,
    arrange: (folder) => join(owner(join(folder, "etc")), "file"),
    want: /^KW_CONFIG_INSECURE: .*\/etc belongs to user 65534/,
  },
  {
    why: "refuses a link that somebody else put into a folder like /tmp",
    asRoot: true,
    arrange: (folder) => {
      mode(0o1777, folder);
      const path = link(join(folder, "etc/file"), join(folder, "link"));
      lchownSync(path, 65534, 65534);
      return path;
    },
    want: /^KW_CONFIG_INSECURE: .*\/link belongs to user 65534/,
  },
  {
    why: "says that there is none",
    arrange: (folder) => join(folder, "none"),
    want: /^KW_CONFIG_UNREADABLE: .*ENOENT/,
  },
  {
    why: "refuses a folder",
    arrange: (folder) => folder,
    want: /^KW_CONFIG_UNREADABLE: .*not a regular file/,
  },
  {
    why: "does not wait for a fifo",
    arrange: (folder) => {
      execFileSync("mkfifo", [join(folder, "fifo")]);
      return join(folder, "fifo");
    },
    want: /^KW_CONFIG_UNREADABLE: .*not a regular file/,
  },
  {
    why: "does not follow links for ever",
    arrange: (folder) => link("link", join(folder, "link")),
    want: /^KW_CONFIG_UNREADABLE: .*ELOOP/,
  },
  {
    why: "refuses more than its bound",
    arrange: (folder) => {
      writeFileSync(join(folder, "etc/file"), "x".repeat(101));
      return join(folder, "etc/file");
    },
    want: /^KW_CONFIG_UNREADABLE: .*longer than 100 bytes/,
  },
  {
    why: "a name with control characters is shown without them",
    arrange: (folder) => join(folder, "\x1b[2J"),
    want: /^KW_CONFIG_UNREADABLE: Cannot read .*\\x1b\[2J: ENOENT/,
  },
];

for (const { why, asRoot, arrange, want } of rows) {
  test(`readTrustedFile(): ${why}`, { skip: asRoot === true && needs("root") }, (t) => {
    const folder = mkdtempSync(join(tmpdir(), "kinwatch-trusted-"));
    t.after(() => rmSync(folder, { recursive: true }));
    mkdirSync(join(folder, "etc"), { mode: 0o755 });
    writeFileSync(join(folder, "etc/file"), "content", { mode: 0o644 });
    const path = arrange(folder);
    if (want === "read") assert.equal(readTrustedFile(path, 100).toString(), "content");
    else {
      assert.throws(
        () => readTrustedFile(path, 100),
        (error: Error & { code?: string }) =>
          want.test(`${error.code}: ${error.message}`) || assert.fail(error),
      );
    }
  });
}

const rules: TrustedUse = { insecure: "KW_RULE_INSECURE", unreadable: "KW_RULE_UNREADABLE", instead: "" };

test("readTrustedFolder(): has all names, sorted, and refuses a folder that others could change", (t) => {
  const folder = mkdtempSync(join(tmpdir(), "kinwatch-trusted-"));
  t.after(() => rmSync(folder, { recursive: true }));
  for (const name of ["b", "a", "B"]) writeFileSync(join(folder, name), "");
  assert.deepEqual(readTrustedFolder(folder, rules), ["B", "a", "b"]);
  assert.throws(() => readTrustedFolder(join(folder, "a"), rules), {
    code: "KW_RULE_UNREADABLE",
    message: /\/a: not a folder\. Name a folder\.$/,
  });
  assert.throws(() => readTrustedFolder(mode(0o777, folder), rules), {
    code: "KW_RULE_INSECURE",
    message: /others may write .*chmod go-w/,
  });
});

test("readTrustedFile(): a refusal has the codes of what the file is for", () => {
  assert.throws(() => readTrustedFile("/nonexistent", 100), {
    code: "KW_CONFIG_UNREADABLE",
    message: /ENOENT\. Name one that exists, or leave --config out to run with the defaults\.$/,
  });
  assert.throws(() => readTrustedFile("/nonexistent", 100, rules), {
    code: "KW_RULE_UNREADABLE",
    message: /ENOENT\. Name one that exists\.$/,
  });
});

test("isMissing(): only where no name is, not where a link leads nowhere", (t) => {
  const folder = mkdtempSync(join(tmpdir(), "kinwatch-trusted-"));
  t.after(() => rmSync(folder, { recursive: true }));
  assert.equal(isMissing(join(folder, "none")), true);
  assert.equal(isMissing(link("none", join(folder, "link"))), false);
});

function link(target: string, path: string): string {
  symlinkSync(target, path);
  return path;
}
function mode(bits: number, path: string): string {
  chmodSync(path, bits);
  return path;
}
function owner(path: string): string {
  chownSync(path, 65534, 65534);
  return path;
}

import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import {
  chmodSync,
  copyFileSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  symlinkSync,
  truncateSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { DatabaseSync } from "node:sqlite";
import { type TestContext, test } from "node:test";
import { newCounters } from "../../agent/counters.ts";
import { KinwatchError } from "../../agent/errors.ts";
import { checkState, hasState } from "../../agent/store/state-file.ts";
import { openStoreToRead, Store } from "../../agent/store/store.ts";
import { openTermsToChange, openTermsToRead } from "../../agent/store/stored-terms.ts";
import { asPlainUser, needs } from "../helpers/real-parts.ts";
import { takers } from "../helpers/takers.ts";

const counters = newCounters();

function folder(t: TestContext): string {
  const path = mkdtempSync(join(tmpdir(), "kinwatch-state-"));
  t.after(() => rmSync(path, { recursive: true, force: true }));
  return path;
}

/** A state with enough in it to fill some pages. */
function filled(directory: string): string {
  using store = new Store(directory, { counters });
  for (let id = 1_000; id < 1_100; id += 1) {
    store.addAlert(String(id), JSON.stringify("x".repeat(1_000)), takers("journald"));
    store.see("rule", "", { field: "process.parent", value: [`/bin/${id}`, ""] }, id, false);
  }
  return join(directory, "kinwatch.db");
}

function sql(file: string, text: string): void {
  const database = new DatabaseSync(file);
  database.exec(text);
  database.close();
}

const damages: { why: string; code: string; damage: (file: string) => void; toReaders?: false }[] = [
  {
    why: "a file that is no database",
    code: "KW_STATE_CORRUPT",
    damage: (file) => writeFileSync(file, Buffer.alloc(20_000, "kinwatch ")),
  },
  { why: "an empty file", code: "KW_STATE_CORRUPT", damage: (file) => truncateSync(file, 0) },
  { why: "half a page", code: "KW_STATE_CORRUPT", damage: (file) => truncateSync(file, 2_000) },
  {
    why: "a file that was cut off",
    code: "KW_STATE_CORRUPT",
    damage: (file) => truncateSync(file, statSync(file).size - 4_096),
  },
  {
    why: "a page overwritten",
    code: "KW_STATE_CORRUPT",
    damage: (file) => {
      const bytes = readFileSync(file);
      writeFileSync(file, bytes.fill(0xa5, bytes.length - 8_192, bytes.length - 4_096));
    },
    toReaders: false, // they look only at what they show
  },
  {
    why: "a table missing",
    code: "KW_STATE_CORRUPT",
    damage: (file) => sql(file, "DROP TABLE outbox"),
  },
  {
    why: "a table of another shape",
    code: "KW_STATE_CORRUPT",
    damage: (file) => sql(file, "ALTER TABLE terms DROP COLUMN learned"),
  },
  {
    why: "another program's database",
    code: "KW_STATE_CORRUPT",
    damage: (file) => {
      rmSync(file);
      sql(file, "CREATE TABLE cookies (name TEXT)");
    },
  },
  {
    why: "a newer version",
    code: "KW_STATE_NEWER",
    damage: (file) => sql(file, "CREATE TABLE news (a); PRAGMA user_version = 4"),
  },
  {
    why: "a folder in its place",
    code: "KW_STATE_UNUSABLE",
    damage: (file) => {
      rmSync(file);
      mkdirSync(file);
    },
  },
];
for (const { why, code, damage, toReaders } of damages) {
  test(`Store: refuses ${why}, says what to do, and changes nothing`, (t) => {
    const directory = folder(t);
    const file = filled(directory);
    damage(file);
    const before = existsSync(file) && statSync(file).isFile() ? readFileSync(file) : undefined;
    const openings = [
      () => new Store(directory, { counters }),
      ...(toReaders === false ? [] : [() => openStoreToRead(directory), () => openTermsToChange(directory)]),
    ];
    for (const open of openings) {
      assert.throws(open, (error) => {
        assert.ok(error instanceof KinwatchError);
        assert.equal(error.code, code, error.message);
        assert.ok(error.message.includes(file) && error.message.endsWith("."), error.message);
        return true;
      });
    }
    if (before) assert.ok(before.equals(readFileSync(file)), "the file is as it was");
  });
}

test("Store: refuses a database that is gone while its newest changes are still there", (t) => {
  const directory = folder(t);
  using store = new Store(directory, { counters });
  store.addAlert("1", "{}", takers());
  const copy = folder(t);
  copyFileSync(join(directory, "kinwatch.db-wal"), join(copy, "kinwatch.db-wal"));
  assert.throws(() => new Store(copy, { counters }), { code: "KW_STATE_CORRUPT" });
  assert.equal(existsSync(join(copy, "kinwatch.db")), false);
});

test("Store: damage that is met later is told as such", (t) => {
  const file = filled(folder(t));
  const bytes = readFileSync(file);
  writeFileSync(file, bytes.fill(0xa5, 4_096)); // all but the schema
  using store = openStoreToRead(join(file, ".."));
  assert.throws(() => [...store.alerts()], { code: "KW_STATE_CORRUPT" });
});

test("Store: an unfinished first start is begun again", (t) => {
  const directory = folder(t);
  writeFileSync(join(directory, "kinwatch.db.new"), "unfinished");
  using store = new Store(directory, { counters });
  assert.deepEqual([...store.alerts()], []);
});

test("Store: its folder and files are for nobody else", (t) => {
  const directory = join(folder(t), "made", "here");
  using store = new Store(directory, { counters });
  store.addAlert("1", "{}", takers());
  assert.equal(statSync(directory).mode & 0o777, 0o700);
  for (const name of readdirSync(directory)) {
    assert.equal(statSync(join(directory, name)).mode & 0o777, 0o600, name);
  }
});

test("openStoreToRead(): says so when there is nothing yet", (t) => {
  assert.throws(() => openStoreToRead(folder(t)), {
    code: "KW_STATE_UNUSABLE",
    message: /There is no .*kinwatch\.db/,
  });
});

test("openStoreToRead(): a state that may not be seen is not a missing one", (t) => {
  const directory = join(folder(t), "state");
  symlinkSync(directory, directory); // as EACCES for who is not root
  for (const open of [openStoreToRead, openTermsToChange, hasState, checkState]) {
    assert.throws(() => open(directory), { code: "KW_STATE_UNUSABLE", message: /ELOOP/ });
  }
});

test("Store: a file in place of the folder", (t) => {
  const file = join(folder(t), "state");
  writeFileSync(file, "");
  assert.throws(() => new Store(file, { counters }), {
    code: "KW_STATE_UNUSABLE",
    message: /EEXIST|ENOTDIR/,
  });
});

test("Store: a folder that this user may not write", { skip: needs("plain-user") }, (t) => {
  const directory = folder(t);
  filled(directory);
  chmodSync(directory, 0o755);
  const opening = `
    import { Store } from ${JSON.stringify(new URL("../../agent/store/store.ts", import.meta.url).href)};
    try { new Store(${JSON.stringify(directory)}, { counters: {} }); } catch (error) { console.log(error.code); }`;
  const [file = "", ...args] =
    asPlainUser([process.execPath, "--input-type=module-typescript", "-e", opening]) ?? [];
  const { stdout, stderr } = spawnSync(file, args, { encoding: "utf8", timeout: 30_000 });
  assert.equal(stdout.trim(), "KW_STATE_UNUSABLE", stderr);
});

test("Store: brings a state of version 1 along, which readers leave to the daemon", (t) => {
  const directory = folder(t);
  {
    using store = new Store(directory, { counters: newCounters() });
    store.see("rule", "", { field: "process.parent", value: ["/bin/a", ""] }, 5, true);
    store.transaction(() => store.addAlert("a", "{}", takers("journald")));
  }
  const file = join(directory, "kinwatch.db");
  sql(file, version1);
  for (const open of [openStoreToRead, openTermsToChange])
    assert.throws(() => open(directory), { code: "KW_STATE_OLDER" });
  {
    using store = new Store(directory, { counters: newCounters() });
    const term = { rule: "rule", scope: "", field: "process.parent", value: ["/bin/a", ""] };
    using terms = openTermsToRead(directory);
    assert.deepEqual([...terms.list()], [{ ...term, firstSeenMs: 5, lastSeenMs: 5, learned: true }]);
    assert.deepEqual(
      store.outbox("journald", 2).map(({ document }) => document),
      ["{}"],
    );
  }
  using _ = openStoreToRead(directory);
});

test("Store: brings a state of version 2 along", (t) => {
  const directory = folder(t);
  {
    using store = new Store(directory, { counters: newCounters() });
    store.setMeta("agent_id", "a");
  }
  sql(
    join(directory, "kinwatch.db"),
    "DROP TABLE shipments; DROP TABLE shipment_totals; PRAGMA user_version = 2",
  );
  assert.throws(() => openStoreToRead(directory), { code: "KW_STATE_OLDER" });
  using store = new Store(directory, { counters: newCounters() });
  assert.equal(store.meta("agent_id"), "a");
  store.shipments.add("events", "logs-kinwatch.events-default", "e", "{}");
  assert.equal(store.shipments.totals().waiting.documents, 1);
  using _ = openStoreToRead(directory);
});

/** What version 1 had instead. */
const version1 = `
DROP TABLE shipments;
DROP TABLE shipment_totals;
DROP TABLE signals;
DROP TABLE exceptions;
CREATE TABLE older AS SELECT rule, scope, field, value, first_seen_ms, learned FROM terms;
DROP TABLE terms;
CREATE TABLE terms (
  rule TEXT NOT NULL,
  scope TEXT NOT NULL,
  field TEXT NOT NULL,
  value TEXT NOT NULL, -- JSON array of strings
  first_seen_ms INTEGER NOT NULL,
  learned INTEGER NOT NULL, -- 1: taken for granted while learning, never alerted
  PRIMARY KEY (rule, scope, field, value)
) STRICT, WITHOUT ROWID;
INSERT INTO terms SELECT * FROM older;
DROP TABLE older;
PRAGMA user_version = 1`;

import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { once } from "node:events";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test } from "node:test";
import { newCounters } from "../../agent/counters.ts";
import { openStoreToRead, Store } from "../../agent/store/store.ts";

const counters = newCounters();
const holding = `
  import { Store } from ${JSON.stringify(new URL("../../agent/store/store.ts", import.meta.url).href)};
  const store = new Store(process.argv[1], { counters: {} });
  store.addAlert("1", "{}", { raised: [], completed: [] });
  console.log("held");
  setInterval(() => store.lastChange(), 1000);`;

test("StateLock: a second writer is told who is the first, a reader reads, and a killed writer lets go", async (t) => {
  const directory = mkdtempSync(join(tmpdir(), "kinwatch-lock-"));
  t.after(() => rmSync(directory, { recursive: true }));
  const child = spawn(process.execPath, ["--input-type=module-typescript", "-e", holding, directory], {
    stdio: ["ignore", "pipe", "inherit"],
  });
  t.after(() => child.kill("SIGKILL"));
  await once(child.stdout, "data");
  assert.throws(() => new Store(directory, { counters }), {
    code: "KW_STATE_LOCKED",
    message: new RegExp(`process ${child.pid},.*${directory}`),
  });
  {
    using reader = openStoreToRead(directory);
    assert.deepEqual([...reader.alerts()], ["{}"]);
  }
  child.kill("SIGKILL");
  await once(child, "exit");
  {
    using reader = openStoreToRead(directory);
    assert.deepEqual([...reader.alerts()], ["{}"], "of a killed writer");
  }
  using store = new Store(directory, { counters });
  assert.deepEqual([...store.alerts()], ["{}"]);
});

test("StateLock: holds within one process too", (t) => {
  const directory = mkdtempSync(join(tmpdir(), "kinwatch-lock-"));
  t.after(() => rmSync(directory, { recursive: true }));
  {
    using _ = new Store(directory, { counters });
    assert.throws(() => new Store(directory, { counters }), { code: "KW_STATE_LOCKED" });
    assert.throws(() => new Store(directory, { counters }), { code: "KW_STATE_LOCKED" });
  }
  using _ = new Store(directory, { counters });
});

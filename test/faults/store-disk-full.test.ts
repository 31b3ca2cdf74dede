/** A disk that is really full: a small file system of its own, in a mount namespace that ends with the process. */
import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test } from "node:test";
import { needs } from "../helpers/real-parts.ts";

const filling = `
  import { rmSync, writeFileSync } from "node:fs";
  import { Store } from ${JSON.stringify(new URL("../../agent/store/store.ts", import.meta.url).href)};
  const folder = process.argv[1];
  const outcome = (work) => { try { work(); return "done"; } catch (error) { return error.code; } };
  const counters = { alerts_let_go: 0, terms_let_go: 0, outbox_let_go: 0 };
  const add = (id) => store.transaction(() => store.addAlert(id, "x".repeat(20_000), { raised: ["journald"], completed: ["journald"] }));
  let store = new Store(folder, { counters });
  let added = 0;
  let full;
  for (; added < 10_000; added += 1) {
    full = outcome(() => add(String(added).padStart(5, "0")));
    if (full !== "done") break;
  }
  const kept = [...store.alerts()].length;
  const again = outcome(() => add("99998"));
  store[Symbol.dispose]();
  writeFileSync(folder + "/../rest", "");
  store = new Store(folder, { counters });
  const reopened = [...store.alerts()].length;
  rmSync(folder + "/../ballast");
  console.log(JSON.stringify({ full, added, kept, again, reopened, afterwards: outcome(() => add("99999")) }));`;

test("Store: a full disk is told as such, costs nothing that was kept, and passes", {
  skip: needs("root"),
}, (t) => {
  const mount = mkdtempSync(join(tmpdir(), "kinwatch-full-"));
  t.after(() => rmSync(mount, { recursive: true }));
  const script = `mount -t tmpfs -o size=3m none "$1" && head -c 1m /dev/zero >"$1/ballast" && exec "$2" --input-type=module-typescript -e "$3" "$1/state"`;
  const args = ["-m", "sh", "-c", script, "sh", mount, process.execPath, filling];
  const { stdout, stderr } = spawnSync("unshare", args, { encoding: "utf8", timeout: 60_000 });
  assert.match(stdout, /^\{/, stderr);
  const { full, added, kept, again, reopened, afterwards } = JSON.parse(stdout);
  assert.equal(full, "KW_STATE_UNUSABLE");
  assert.equal(again, "KW_STATE_UNUSABLE");
  assert.ok(added > 10, `${added} alerts went in before`);
  assert.equal(kept, added, "all that were committed, and nothing of the one that was not");
  assert.equal(reopened, added);
  assert.equal(afterwards, "done");
});

import assert from "node:assert/strict";
import { test } from "node:test";
import { ecsEvent, ecsInstallation } from "../../agent/alert/ecs-event.ts";
import { withOutcomePart } from "../../agent/alert/ecs-outcome.ts";
import { shippedAliases } from "../../agent/packages/shipped-aliases.ts";
import { contextOf, installationOf, raisedAlert, replay, rpmImage } from "../helpers/alerts.ts";
import { ecsMistakes } from "../helpers/ecs.ts";
import { imageOf, scriptImage, updateOf } from "../helpers/images.ts";

const images = {
  "a package tool": rpmImage(),
  "any program": imageOf({ executable: "/usr/bin/ls", args: ["ls"] }, { parent: scriptImage() }),
  "a process of /proc": imageOf({ source: "procfs", argumentsFrom: "procfs" }, { parent: scriptImage() }),
  "nothing but a pid": imageOf({ executable: "", args: [], argumentsFrom: "none", uid: undefined }),
};
for (const [what, image] of Object.entries(images)) {
  for (const given of [{}, replay]) {
    test(`ecsEvent(): ${what} ${given === replay ? "of a stored log" : "live"} keeps to ECS`, () => {
      const event = ecsEvent(image, { ...contextOf(image, given), aliases: shippedAliases });
      assert.deepEqual(ecsMistakes(JSON.parse(JSON.stringify(event))), []);
      assert.equal(event.event.action, "exec");
      assert.equal(
        event.kinwatch.rpm?.mode,
        image.exec.executable === "/usr/bin/rpm" ? "upgrade" : undefined,
      );
    });
  }
}

test("ecsEvent(): names a process as the alert does", () => {
  const image = rpmImage();
  const event = ecsEvent(image, { ...contextOf(image), aliases: shippedAliases });
  const alert = raisedAlert(image);
  assert.deepEqual(event.process, alert.process);
  assert.deepEqual(event.kinwatch.ancestry, alert.kinwatch.ancestry);
  assert.notEqual(event.event.id, alert.event.id);
});

test("ecsEvent(): a parent that nobody knows is said to be one", () => {
  const image = rpmImage({}, { parent: undefined, unresolved: "not seen" });
  const event = ecsEvent(image, { ...contextOf(image), aliases: shippedAliases });
  assert.equal(event.kinwatch.parent_provenance, "unresolved");
  assert.match(event.kinwatch.parent_unresolved_reason ?? "", /no record/);
});

test("ecsInstallation(): one known by its records alone has its packages and its outcome", () => {
  const image = imageOf(
    { executable: "/usr/bin/dnf5", args: ["dnf", "install", "kw-a"] },
    { parent: scriptImage() },
  );
  const installation = installationOf(image, [updateOf()]);
  const event = withOutcomePart(
    ecsInstallation(installation, contextOf(image, replay)),
    installation.updates,
  );
  assert.deepEqual(ecsMistakes(JSON.parse(JSON.stringify(event))), []);
  assert.equal(event.event.outcome, "success");
  assert.equal(event.package?.name, "kw-a");
  assert.equal(event.kinwatch.outcome, "installed");
  assert.equal(event.kinwatch.rpm, undefined);
});

test("ecsInstallation(): one whose outcome nobody told says why", () => {
  const outcomeOf = (image: ReturnType<typeof rpmImage>) =>
    withOutcomePart(ecsInstallation(installationOf(image), contextOf(image)), []).kinwatch.outcome;
  assert.equal(outcomeOf(rpmImage()), "none");
  assert.equal(outcomeOf(rpmImage({ source: "procfs" })), "unavailable");
});

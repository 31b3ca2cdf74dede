import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import type { AlertDocument } from "../../agent/alert/alert-document.ts";
import { ecsAlert, ecsRuleAlert } from "../../agent/alert/ecs-alert.ts";
import { proposalOf, refusalsOf } from "../../agent/cli/alert-exceptions.ts";
import { shippedAliases } from "../../agent/packages/shipped-aliases.ts";
import { compileExceptions, exemptionOf } from "../../agent/rules/exceptions.ts";
import { matchNewParent } from "../../agent/rules/new-parent.ts";
import type { Container } from "../../agent/sources/source.ts";
import { contextOf, raisedAlert, rpmImage } from "../helpers/alerts.ts";
import { exceptionOf } from "../helpers/exceptions.ts";
import { imageOf, scriptImage } from "../helpers/images.ts";
import { goodRule, read } from "../helpers/rules.ts";
import { subjects } from "../helpers/subjects.ts";

const keys = [
  'user = "root"',
  'user = "somebody"',
  'user = "4711"',
  'login_user = "admin"',
  'parent = "/usr/bin/*"',
  'parent = "/usr/sbin/sshd"',
  'script = "/opt/a.sh"',
  'ancestor = "/usr/bin/runc"',
  'ancestor = "*.sh"',
  'package = "a"',
  'package = "kw-*"',
  'package_owner = "kw-*"',
  'container_image = "localhost/kw/build*"',
  'working_directory = "/root"',
  'query = "process.interactive:true or kinwatch.rpm.mode:install"',
  'query = "not process.working_directory:*"',
];

test("refusalsOf(): a stored alert answers as its event did", () => {
  const { rules } = read(goodRule);
  const [rule = assert.fail("it was refused")] = rules;
  const seen = new Set<string>();
  fc.assert(
    fc.property(subjects(), fc.constantFrom(...keys), (subject, condition) => {
      const { image, kind, installation, host, provider, nameUser, readDetails, readOwners, readContainer } =
        subject;
      const exception = exceptionOf(condition);
      const given = {
        host,
        provider,
        nameUser,
        readDetails,
        readOwners,
        readContainer,
        ancestors: subject.ancestors(),
      };
      const context = { ...contextOf(image), ...given };
      const alerts = [ecsRuleAlert(subject, { rule, terms: [] }, context)];
      if (kind === "installation") alerts.push(ecsAlert(installation, matchNewParent(installation), context));
      const want = exemptionOf(compileExceptions([exception])(rule.id)?.(subject) ?? []) === "x";
      for (const alert of alerts) {
        const stored = JSON.parse(JSON.stringify(alert));
        const refusals = refusalsOf(exception, stored, kind === "outcome", shippedAliases);
        assert.equal(refusals.length === 0, want, `${condition}: ${refusals}`);
      }
      seen.add(`${condition} ${want}`);
    }),
    { numRuns: 3_000 },
  );
  assert.deepEqual(
    keys.flatMap((key) => [`${key} true`, `${key} false`]).filter((one) => !seen.has(one)),
    [],
    "each held at least once, and did not hold",
  );
});

const web: Container = {
  id: "ab".repeat(32),
  runtime: "podman",
  name: "web",
  image: "localhost/kw/web:1",
  reason: undefined,
};
const proposals: readonly { why: string; alert: AlertDocument; want: ReturnType<typeof proposalOf> }[] = [
  {
    why: "the parent, its script, and the account",
    alert: raisedAlert(),
    want: { user: "0", parent: "/usr/bin/bash", script: "/opt/deploy/update.sh" },
  },
  {
    why: "who logged in where the parent runs no script",
    alert: raisedAlert(
      rpmImage({}, { parent: imageOf({ pid: 800, executable: "/usr/bin/bash", args: ["-bash"] }) }),
    ),
    want: { user: "0", login_user: "1000", parent: "/usr/bin/bash" },
  },
  {
    why: "what became rpm itself",
    alert: raisedAlert(
      rpmImage({}, { previous: imageOf({ executable: "/usr/bin/bash", script: "/opt/exec.sh" }) }),
    ),
    want: { user: "0", parent: "/usr/bin/bash", script: "/opt/deploy/update.sh", ancestor: "/opt/exec.sh" },
  },
  {
    why: "a path with a star as it is, which would be a pattern",
    alert: raisedAlert(rpmImage({}, { parent: scriptImage("/tmp/*") })),
    want: { user: "0", parent: "/usr/bin/bash", query: 'kinwatch.ancestry.script:"/tmp/*"' },
  },
  {
    why: "the image of its container",
    alert: raisedAlert(rpmImage(), { readContainer: () => web }),
    want: {
      user: "0",
      parent: "/usr/bin/bash",
      script: "/opt/deploy/update.sh",
      container_image: "localhost/kw/web:1",
    },
  },
  {
    why: "its container alone, where the image is not known",
    alert: raisedAlert(rpmImage(), { readContainer: () => ({ ...web, image: undefined }) }),
    want: {
      user: "0",
      parent: "/usr/bin/bash",
      script: "/opt/deploy/update.sh",
      query: `container.id:"${web.id}"`,
    },
  },
  {
    why: "nothing where the parent is not known",
    alert: raisedAlert(rpmImage({}, { parent: undefined, unresolved: "not seen" })),
    want: undefined,
  },
];
for (const { why, alert, want } of proposals)
  test(`proposalOf(): ${why}`, () => assert.deepEqual(proposalOf(alert), want));

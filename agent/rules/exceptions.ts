/**
 * The exceptions in force. Each is a part of the queries of its rules, as if these ended in "and not …": what it takes out is neither
 * alert nor history. It is asked where a rule has matched, so that a rule without exceptions costs nothing.
 *
 * Whose package a parent is takes time to find out. So that condition is left open, and closed by who judges (exemptionOf()): all
 * others are decided at once, as of that moment, so that no wait changes them.
 */
import { baseName } from "../events/audit-exec.ts";
import { type ProcessImage, previousImages } from "../lineage/process-image.ts";
import type { Installation } from "../packages/installation.ts";
import type { Owner } from "../packages/owner-answer.ts";
import { commandOf, eventFields, type RuleSubject } from "./event-fields.ts";
import type { Exception } from "./exception.ts";
import { conditionsOf, type Excepted, type Installer } from "./exception-match.ts";

/** An exception that takes an event out of a rule, if what is open holds too. */
export interface Exemption {
  readonly id: string;
  readonly open: OpenCondition | undefined; // undefined: it takes it out
}

export interface OpenCondition {
  readonly images: readonly ProcessImage[]; // whose packages decide
  readonly holds: () => boolean; // by what is known of them by then
}

/** @returns those that take an event out of a rule, or may: the first that does has it; none: no exception does */
export type ExceptionsOf = (subject: RuleSubject) => readonly Exemption[];

/** @returns the id of the exception that takes it out; undefined: none does, as far as is known now */
export function exemptionOf(exemptions: readonly Exemption[]): string | undefined {
  return exemptions.find(({ open }) => open?.holds() ?? true)?.id;
}

/** Whose packages are to be asked for before it can be said. */
export function openImages(exemptions: readonly Exemption[]): readonly ProcessImage[] {
  return exemptions.flatMap(({ open }) => open?.images ?? []);
}

/** @returns what is to be asked of a rule by its id; undefined: nothing */
export function compileExceptions(
  exceptions: readonly Exception[],
): (rule: string) => ExceptionsOf | undefined {
  const compiled = exceptions.map((exception) => {
    const conditions = conditionsOf(exception, excepted);
    return {
      exception,
      conditions: conditions.filter(({ key }) => key !== "package_owner"),
      owned: conditions.find(({ key }) => key === "package_owner"),
    };
  });
  return (rule) => {
    const some = compiled.filter(({ exception }) => isOf(exception, rule));
    if (some.length === 0) return undefined;
    return (subject) => {
      const timeMs = subject.installation?.timeMs ?? subject.image.exec.timeMs;
      const exemptions: Exemption[] = [];
      for (const { exception, conditions, owned } of some) {
        if (timeMs > exception.expiresMs || !conditions.every(({ holds }) => holds(subject))) continue;
        const { id } = exception;
        if (owned === undefined) return [...exemptions, { id, open: undefined }];
        const images = installing(subject);
        const holds = () => owned.holds(subject);
        if (images.length > 0 && subject.readOwners !== undefined)
          exemptions.push({ id, open: { images, holds } });
      }
      return exemptions;
    };
  };
}

export function isOf({ rules }: Exception, rule: string): boolean {
  return rules?.includes(rule) ?? true;
}

const excepted: Excepted<RuleSubject> = {
  fields: eventFields,
  parentScript: ({ ancestors }) => ancestors()[0]?.exec.script,
  packages(subject) {
    const command = subject.image.exec.argumentsComplete ? commandOf(subject) : undefined;
    return knownPackages(
      subject.kind === "outcome",
      command?.packages ?? [],
      subject.installation?.updates ?? [],
    );
  },
  installers(subject) {
    return installing(subject).map((image): Installer => {
      const { exec } = image;
      const owner = subject.readOwners?.(image);
      return {
        program: baseName(exec.executable),
        isScript: exec.script !== undefined,
        hasOtherOptions: owner?.hasOtherOptions ?? false,
        executable: packageName(owner?.executable),
        script: packageName(owner?.script),
      };
    });
  },
};

/** Who installs: the parent, and what the process was before; none where the parent is not known for certain. */
function installing({ image, ancestors }: RuleSubject): readonly ProcessImage[] {
  ancestors(); // asks /proc for the parent, if it is not known yet
  const { parent } = image;
  return parent === undefined || parent.provenance === "inferred" ? [] : [parent, ...previousImages(image)];
}

function packageName(owner: Owner | undefined): string | undefined {
  return owner?.result === "owned" ? owner.name : undefined;
}

/**
 * What an installation is known to be about: at its end what was installed, before it what the command line names. Of dnf and the like
 * nothing but the first record is known then.
 */
export function knownPackages(
  isOver: boolean,
  operands: readonly string[],
  updates: readonly Pick<Installation["updates"][number], "operation" | "nevra">[],
): readonly string[] {
  const installed = updates.filter(({ operation }) => operation !== "remove").map(({ nevra }) => nevra);
  const [first, second] = isOver ? [installed, operands] : [operands, installed];
  return first.length > 0 ? first : second;
}

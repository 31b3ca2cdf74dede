/**
 * The exceptions in force. Each is a part of the queries of its rules, as if these ended in "and not …": what it takes out is neither
 * alert nor history. It is asked where a rule has matched, so that a rule without exceptions costs nothing.
 */
import type { Installation } from "../packages/installation.ts";
import { commandOf, eventFields, type RuleSubject } from "./event-fields.ts";
import type { Exception } from "./exception.ts";
import { conditionsOf, type Excepted } from "./exception-match.ts";

/** @returns the id of the exception that takes an event out of a rule; undefined: none does */
export type ExceptionOf = (subject: RuleSubject) => string | undefined;

/** @returns what is to be asked of a rule by its id; undefined: nothing */
export function compileExceptions(
  exceptions: readonly Exception[],
): (rule: string) => ExceptionOf | undefined {
  const compiled = exceptions.map((exception) => ({
    exception,
    conditions: conditionsOf(exception, excepted),
  }));
  return (rule) => {
    const some = compiled.filter(({ exception }) => isOf(exception, rule));
    if (some.length === 0) return undefined;
    return (subject) => {
      const timeMs = subject.installation?.timeMs ?? subject.image.exec.timeMs;
      return some.find(
        ({ exception: { expiresMs }, conditions }) =>
          timeMs <= expiresMs && conditions.every(({ holds }) => holds(subject)),
      )?.exception.id;
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
};

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

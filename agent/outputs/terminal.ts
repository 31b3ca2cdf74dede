/** Alerts on a terminal: at once with what is known, and the outcome when it is; or whole, when stored logs are read. */
import type { AlertDocument } from "../alert/alert-document.ts";
import { alertText, outcomeText, type TextOptions } from "./alert-text.ts";
import type { Output } from "./output.ts";
import { type Write, writeTo } from "./write.ts";

const WIDTH_MIN = 40; // narrower ones break lines themselves
const WIDTH_MAX = 120; // longer lines are hard to read

export function textOptions(stream: NodeJS.WriteStream): TextOptions {
  return {
    width: Math.max(WIDTH_MIN, Math.min(stream.columns ?? 80, WIDTH_MAX)),
    colour: stream.isTTY === true && stream.hasColors(), // hasColors() heeds NO_COLOR and FORCE_COLOR
  };
}

export function terminalOutput(
  stream: NodeJS.WriteStream,
  when: "at once" | "complete",
  write: Write = writeTo(stream),
): Output {
  const show = async (alert: AlertDocument, text: typeof alertText): Promise<void> =>
    write(`${text(alert, textOptions(stream))}\n`);
  if (when === "complete") return { name: "terminal", completed: (alert) => show(alert, alertText) };
  return {
    name: "terminal",
    raised: (alert) => show(alert, alertText),
    async completed(alert: AlertDocument): Promise<void> {
      if (alert.kinwatch.outcome !== "unavailable") await show(alert, outcomeText); // else it was said at once
    },
  };
}

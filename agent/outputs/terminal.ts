/** Alerts on a terminal: at once with what is known, and the outcome when it is; or whole, when stored logs are read. */
import type { AlertDocument } from "../alert/alert-document.ts";
import { alertText, outcomeText, type TextOptions } from "./alert-text.ts";
import type { Output } from "./output.ts";

const WIDTH_MAX = 120; // longer lines are hard to read

export function textOptions(stream: NodeJS.WriteStream): TextOptions {
  return {
    width: Math.min(stream.columns ?? 80, WIDTH_MAX),
    colour: stream.isTTY === true && stream.hasColors(), // hasColors() heeds NO_COLOR and FORCE_COLOR
  };
}

export function terminalOutput(stream: NodeJS.WriteStream, when: "at once" | "complete"): Output {
  return {
    name: "terminal",
    raised(alert: AlertDocument): void {
      if (when === "at once") stream.write(`${alertText(alert, textOptions(stream))}\n`);
    },
    completed(alert: AlertDocument): void {
      const text = when === "at once" ? outcomeText : alertText;
      stream.write(`${text(alert, textOptions(stream))}\n`);
    },
  };
}

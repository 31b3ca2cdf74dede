/** Commands of kinwatch as texts tell people to type them, held against the program: a page that names an option there is not misleads. */
import type { CommandNode } from "../../packaging/command-tree.ts";

/** In Markdown: what stands in shell blocks and between backticks. */
export function commandsInMarkdown(page: string): string[] {
  const blocks = Array.from(page.matchAll(/^```sh\n(.*?)^```/gms), ([, code = ""]) => code);
  const words = page.replaceAll(/^```.*?^```/gms, "").matchAll(/`([^`]+)`/g);
  return [...blocks, ...Array.from(words, ([, code = ""]) => code)].flatMap(commandsInShell);
}

/** @param script lines of a shell; a command may stand behind a pipe, in a substitution, or go on behind a backslash */
export function commandsInShell(script: string): string[] {
  const lines = script.replaceAll(/\\\n\s*/g, " ").split("\n");
  return lines.flatMap((line) => {
    const code = line.replace(/(^|\s)#.*/, "");
    return Array.from(code.matchAll(/(?<![\w/.@=-])kinwatch(?: [^|;&<>)\n]*)?(?=$|[|;&<>)])/g), ([command]) =>
      command.trim(),
    );
  });
}

/** @returns what is wrong with it; undefined: the program would take it */
export function mistakeIn(command: string, tree: readonly CommandNode[]): string | undefined {
  const [, ...words] = command.split(/\s+(?=(?:[^"']|"[^"]*"|'[^']*')*$)/);
  let node: CommandNode | undefined;
  for (let index = 0; index < words.length; index++) {
    const word = words[index] ?? "";
    if (word === "--" || word === "…") return undefined; // what follows is no option of ours, or of one that is left out
    const children = node?.children ?? (node ? [] : tree);
    if (word.startsWith("-") && word !== "-") {
      const name = word.replace(/[=,].*/s, "");
      const option = node?.options.find(({ flags }) => flags.includes(name));
      if (!option && !/^(-h|--help|-V|--version)$/.test(name)) return `${command}: no option ${name}`;
      if (option?.values !== undefined && !word.includes("=")) index++;
      continue;
    }
    const child = children.find(({ name }) => name === word);
    if (children.length > 0 && !child && !/^[A-Z….[]/.test(word)) return `${command}: no command ${word}`;
    node = child ?? node;
  }
  return undefined;
}

/** What shells complete after `kinwatch`. Each finds the command that was typed so far, and offers what belongs to it. */
import type { CommandNode, OptionNode, Values } from "./command-tree.ts";

const root = "kinwatch";

interface Place {
  readonly words: string; // "kinwatch baseline"
  readonly children: readonly CommandNode[];
  readonly options: readonly OptionNode[];
  readonly operandValues: Values | undefined;
}

function placesOf(tree: readonly CommandNode[]): Place[] {
  const below = (node: CommandNode): Place[] => [node, ...node.children.flatMap(below)];
  const flag = (short: string, long: string, description: string): OptionNode => ({
    flags: [short, long],
    term: `${short}, ${long}`,
    description,
    values: undefined,
    default: undefined,
    repeatable: false,
  });
  const options = [flag("-V", "--version", "tell the version"), flag("-h", "--help", "display help")];
  return [{ words: root, children: tree, options, operandValues: undefined }, ...tree.flatMap(below)];
}

const head = "# Made from the commands themselves.";

export function bashCompletion(tree: readonly CommandNode[]): string {
  const places = placesOf(tree);
  const children = places.flatMap((place) => place.children.map(({ words }) => `"${words}"`));
  const values = places.flatMap(({ words, options }) =>
    options.flatMap((option) => {
      const offer = option.values && bashValues(option.values);
      const at = option.flags.map((flag) => `"${words} ${flag}"`).join("|");
      return offer === undefined ? [] : [`    ${at}) ${offer} ;;`];
    }),
  );
  const words = places.map(({ words, children, options, operandValues: operands }) => {
    const flags = options.flatMap(({ flags }) => flags.filter((flag) => flag.startsWith("--")));
    const offer =
      children.length > 0 ? bashValues(children.map(({ name }) => name)) : operands && bashValues(operands);
    return `    "${words}") if [[ $cur == -* ]]; then ${bashValues(flags)}${offer === undefined ? "" : `; else ${offer}`}; fi ;;`;
  });
  return `${head}
_kinwatch() {
  local cur=\${COMP_WORDS[COMP_CWORD]} prev=\${COMP_WORDS[COMP_CWORD - 1]} at=${root} i
  COMPREPLY=()
  # --format=nd is three words, and what is completed the last of them: COMP_WORDBREAKS in bash(1)
  if [[ $cur == = ]]; then
    cur=
  elif [[ $prev == = ]]; then
    prev=\${COMP_WORDS[COMP_CWORD - 2]}
  fi
  for ((i = 1; i < COMP_CWORD; i++)); do
    [[ \${COMP_WORDS[i]} != -- ]] || return 0
    case "$at \${COMP_WORDS[i]}" in
    ${children.join("|")}) at="$at \${COMP_WORDS[i]}" ;;
    esac
  done
  case "$at $prev" in
${values.join("\n")}
    *)
      case $at in
${words.map((line) => `  ${line}`).join("\n")}
      esac
      ;;
  esac
}
complete -F _kinwatch ${root}
`;
}

function bashValues(values: Values): string {
  if (values === "any") return ":";
  if (values === "file") return 'compopt -o filenames; mapfile -t COMPREPLY < <(compgen -f -- "$cur")';
  if (values === "folder") return 'compopt -o filenames; mapfile -t COMPREPLY < <(compgen -d -- "$cur")';
  return `mapfile -t COMPREPLY < <(compgen -W "${values.join(" ")}" -- "$cur")`;
}

export function zshCompletion(tree: readonly CommandNode[]): string {
  const places = placesOf(tree);
  const children = places.flatMap((place) => place.children.map(({ words }) => `"${words}"`));
  const cases = places.map(({ words, children, options, operandValues: operands }) => {
    const specs = options.map(zshSpec);
    const rest = operands === undefined ? [] : [quoted(`*${zshValues(operands)}`)];
    const lines = [...specs, ...rest].join(" \\\n        ");
    if (children.length === 0)
      return `    "${words}")\n      _arguments -s -S \\\n        ${lines}\n      ;;`;
    const list = children.map(({ name, description }) => quoted(`${name}:${description}`)).join("\n        ");
    return `    "${words}")
      if [[ $PREFIX == -* ]]; then
        _arguments -s -S ${specs.join(" ")}
      else
        offered=(
        ${list}
        )
        _describe command offered
      fi
      ;;`;
  });
  return `#compdef ${root}
${head}
local at=${root} word
local -i depth=0
local -a offered
for word in \${words[2,CURRENT-1]}; do
  case "$at $word" in
  (${children.join("|")}) at="$at $word"; depth+=1 ;;
  esac
done
shift $depth words
(( CURRENT -= depth ))
case $at in
${cases.join("\n")}
esac
`;
}

/** Each once, by either of its names, unless it may be repeated; a value behind a blank or "=". zshcompsys(1), _arguments */
function zshSpec({ flags, description, values, repeatable }: OptionNode): string {
  const named = values === undefined ? flags : flags.map((flag) => flag.replace(/^--.*/, "$&="));
  const once = repeatable ? "'*'" : flags.length > 1 ? quoted(`(${flags.join(" ")})`) : "";
  const names = named.length > 1 ? `{${named.join(",")}}` : (named[0] ?? "");
  return `${once}${names}${quoted(`[${description.replaceAll(/[[\]:]/g, "\\$&")}]${zshValues(values)}`)}`;
}

function zshValues(values: Values | undefined): string {
  if (values === undefined) return "";
  if (values === "any") return ":value: ";
  if (values === "file") return ":file:_files";
  return values === "folder" ? ":folder:_files -/" : `:value:(${values.join(" ")})`;
}

export function fishCompletion(tree: readonly CommandNode[]): string {
  const places = placesOf(tree);
  const all = places.flatMap((place) => place.children.map(({ words }) => quoted(words)));
  const lines = places.flatMap(({ words, children, options, operandValues: operands }) => {
    const at = `complete -c ${root} -n ${quoted(`__kinwatch_at ${quoted(words).replaceAll("'", '"')}`)}`;
    return [
      ...children.map(({ name, description }) => `${at} -f -a ${name} -d ${quoted(description)}`),
      ...options.map(({ flags, description, values }) => {
        const names = flags.map((flag) =>
          flag.startsWith("--") ? `-l ${flag.slice(2)}` : `-s ${flag.slice(1)}`,
        );
        return `${at} ${names.join(" ")}${fishValues(values)} -d ${quoted(description)}`;
      }),
      ...(operands === undefined && children.length === 0 ? [`${at} -f`] : []),
      ...(operands === "any" ? [`${at} -f`] : []),
      ...(Array.isArray(operands) ? [`${at} -f -a ${quoted(operands.join(" "))}`] : []),
    ];
  });
  return `${head}
function __kinwatch_at
  set -l at ${root}
  for word in (commandline -opc)[2..]
    if contains -- "$at $word" ${all.join(" ")}
      set at "$at $word"
    end
  end
  test "$at" = "$argv[1]"
end
${lines.join("\n")}
`;
}

function fishValues(values: Values | undefined): string {
  if (values === undefined) return "";
  if (values === "any") return " -x";
  if (values === "file") return " -r -F";
  if (values === "folder") return ' -x -a "(__fish_complete_directories)"';
  return ` -x -a ${quoted(values.join(" "))}`;
}

/** For a shell: nothing in it is one's own. */
function quoted(text: string): string {
  return `'${text.replaceAll("'", "'\\''")}'`;
}

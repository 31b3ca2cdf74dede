/** Arguments as a person would type them in a shell: those with blanks or signs in quotes. */
export function asTyped(args: readonly string[]): string {
  const words = args.map((word) =>
    /^[\w@%+=:,./~-]+$/.test(word) ? word : `'${word.replaceAll("'", "'\\''")}'`,
  );
  return words.join(" ");
}

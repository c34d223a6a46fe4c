/** Returns the key of each class, for as many as there are digits. */
export function keysOf(classes: number, names: readonly string[]): string[] {
  const isDigit = names.every((name) => /^[0-9]$/.test(name));
  if (isDigit && names.length === classes && new Set(names).size === classes)
    return [...names];
  return Array.from({ length: Math.min(classes, 10) }, (_, label) =>
    String((label + 1) % 10),
  );
}

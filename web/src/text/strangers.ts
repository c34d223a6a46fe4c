/** Maximum lengths of texts that strangers wrote, in code points. */
export const MAX = {
  name: 60,
  class: 40,
  word: 40,
  description: 600,
  refusal: 400,
} as const;

// Characters that draw nothing, break the line or turn the direction of what follows.
const INVISIBLE =
  /[\p{Cc}\p{Zl}\p{Zp}\u061c\u200b\u200e\u200f\u202a-\u202e\u2060-\u2069\ufeff]/gu;
const STACKED = /(\p{M}{3})\p{M}+/gu;

/**
 * Returns a stranger's text for display: on one line, cut to a length, without stacks of marks, and
 * with invisible characters spelled out.
 */
export function tamed(text: string, max: number): string {
  // A code point has at most two units, so no more of the text has to be looked at.
  const points = Array.from(text.slice(0, 2 * max + 2));
  const cut =
    points.length > max ? `${points.slice(0, max).join("")}…` : points.join("");
  return cut.replace(STACKED, "$1").replace(INVISIBLE, (found) => {
    const code = found.codePointAt(0) ?? 0;
    return code === 9 || code === 10 || code === 13
      ? " "
      : `\\u{${code.toString(16)}}`;
  });
}

/** Returns the beginning and the end of an address. */
export function shortAddress(address: string): string {
  return `${address.slice(0, 6)}…${address.slice(-4)}`;
}

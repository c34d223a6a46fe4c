/**
 * Returns a whole number with separated thousands.
 *
 * A first `Intl.NumberFormat` takes longer than all else that the first view computes.
 */
export function count(number: number): string {
  return String(Math.round(number)).replace(/\B(?=(\d{3})+$)/g, ",");
}

/** Returns a number of things with the noun in singular or plural. */
export function counted(number: number, one: string, many = `${one}s`): string {
  return `${count(number)} ${number === 1 ? one : many}`;
}

/** Returns a share from 0 to 1 in percent, with one decimal. */
export function percent(share: number): string {
  return `${(share * 100).toFixed(1)} %`;
}

/** Returns how many of some things as a share with its counts, such as `75.0 %, 3 of 4`. */
export function shareOf(part: number, all: number): string {
  const share = all === 0 ? "–" : percent(part / all);
  return `${share}, ${count(part)} of ${count(all)}`;
}

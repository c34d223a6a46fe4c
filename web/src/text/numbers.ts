const whole = new Intl.NumberFormat("en-US", { maximumFractionDigits: 0 });

/** Returns a whole number with separated thousands. */
export function count(number: number): string {
  return whole.format(number);
}

/** Returns a number of things with the noun in singular or plural. */
export function counted(number: number, one: string, many = `${one}s`): string {
  return `${count(number)} ${number === 1 ? one : many}`;
}

/** Returns a share from 0 to 1 in percent, with one decimal. */
export function percent(share: number): string {
  return `${(share * 100).toFixed(1)} %`;
}

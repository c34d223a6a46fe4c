/** Number of wei in an ether. */
const ETHER = 10n ** 18n;
const DIGITS = 4;

/** Returns an amount of wei in ether, exactly, without unit. */
export function exactEther(wei: bigint): string {
  const negative = wei < 0n;
  const value = negative ? -wei : wei;
  const rest = (value % ETHER).toString().padStart(18, "0").replace(/0+$/, "");
  const whole = (value / ETHER).toString();
  return `${negative ? "-" : ""}${whole}${rest === "" ? "" : `.${rest}`}`;
}

/** Returns an amount of wei in ether, rounded to four significant digits, without unit. */
export function shortEther(wei: bigint): string {
  if (wei < 0n) return `-${shortEther(-wei)}`;
  const dropped = wei.toString().length - DIGITS;
  if (dropped <= 0) return exactEther(wei);
  const unit = 10n ** BigInt(dropped);
  return exactEther(((wei + unit / 2n) / unit) * unit);
}

/** Reads an amount of wei as the API writes it. */
export function readWei(text: string): bigint {
  if (!/^(0|[1-9][0-9]{0,38})$/.test(text)) {
    throw new Error(
      `cannot read an amount of wei: found \`${text.slice(0, 40)}\``,
    );
  }
  return BigInt(text);
}

/** Number of decimals of an ether. */
const DECIMALS = 18;

/** Reads an amount of ether such as `0.05`; undefined if the text is none. */
export function readEther(text: string): bigint | undefined {
  const match = /^(\d{1,12})?(?:[.,](\d{0,18}))?$/.exec(text.trim());
  if (!match || !/\d/.test(text)) return undefined;
  const [, whole = "0", fraction = ""] = match;
  return BigInt(whole + fraction.padEnd(DECIMALS, "0"));
}

/** Returns an amount of a token in words for people, exactly. */
export function amountOf(amount: bigint, decimals: number): string {
  if (decimals === 0) return amount.toString();
  const digits = amount.toString().padStart(decimals + 1, "0");
  const rest = digits.slice(-decimals).replace(/0+$/, "");
  const whole = digits.slice(0, -decimals);
  return rest === "" ? whole : `${whole}.${rest}`;
}

const SECOND = 1;
const MINUTE = 60 * SECOND;
const HOUR = 60 * MINUTE;
const DAY = 24 * HOUR;

const units: readonly (readonly [number, Intl.RelativeTimeFormatUnit])[] = [
  [365 * DAY, "year"],
  [DAY, "day"],
  [HOUR, "hour"],
  [MINUTE, "minute"],
  [SECOND, "second"],
];

/** Made at the first use: making one would keep the first view waiting. */
let relative: Intl.RelativeTimeFormat | undefined;

/** Returns a time relative to now, such as `5 minutes ago`. Both are Unix seconds. */
export function ago(time: number, now: number): string {
  const difference = time - now;
  const size = Math.abs(difference);
  relative ??= new Intl.RelativeTimeFormat("en", { numeric: "auto" });
  for (const [seconds, unit] of units) {
    if (size >= seconds)
      return relative.format(Math.trunc(difference / seconds), unit);
  }
  return "now";
}

/** Formats by zone: making one takes longer than using it a hundred times. */
const formats = new Map<string | undefined, Intl.DateTimeFormat>();

/** Returns a time in a zone, with the zone's name. `time` is in Unix seconds. */
export function absolute(time: number, timeZone?: string): string {
  let format = formats.get(timeZone);
  if (!format) {
    format = formatOf(timeZone);
    formats.set(timeZone, format);
  }
  return format.format(new Date(time * 1000));
}

function formatOf(timeZone: string | undefined): Intl.DateTimeFormat {
  const options: Intl.DateTimeFormatOptions = {
    weekday: "short",
    day: "numeric",
    month: "short",
    year: "numeric",
    hour: "2-digit",
    minute: "2-digit",
    hourCycle: "h23",
    timeZoneName: "short",
  };
  if (timeZone) options.timeZone = timeZone;
  return new Intl.DateTimeFormat("en-GB", options);
}

/** Returns a time of the day on this computer, such as `12:03`. `time` is in milliseconds. */
export function clockTime(time: number): string {
  return new Intl.DateTimeFormat("en-GB", { timeStyle: "short" }).format(
    new Date(time),
  );
}

/** Returns a duration in its two largest units, such as `1 day 2 hours`. */
export function duration(seconds: number): string {
  if (seconds <= 0) return "0 seconds";
  let rest = seconds;
  const parts: string[] = [];
  for (const [size, unit] of units) {
    const number = Math.floor(rest / size);
    rest -= number * size;
    if (number > 0) parts.push(`${number} ${unit}${number === 1 ? "" : "s"}`);
    if (parts.length === 2) break;
  }
  return parts.join(" ");
}

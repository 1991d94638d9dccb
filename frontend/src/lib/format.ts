// Numbers and times as the page shows them. One locale everywhere, so that a number reads the same for everybody.

const WHOLE = new Intl.NumberFormat("en-US", { maximumFractionDigits: 0 });
const DATE_TIME = new Intl.DateTimeFormat(undefined, { dateStyle: "medium", timeStyle: "short" });

/** Between a number and its unit, so that a line never ends there. */
const NO_BREAK = "\u00a0";

/** What stands for a value that is not there. */
export const NONE = "–";

/** `16,242,186` */
export const count = (value: number): string => WHOLE.format(value);

/** `1 image`, `9,500 images` */
export const counted = (value: number, noun: string, plural = `${noun}s`): string =>
  `${count(value)} ${value === 1 ? noun : plural}`;

/** Three significant digits with a decimal prefix: `16.2 M`, `4.09 G`. */
export const si = (value: number): string => scaled(value, ["", "k", "M", "G", "T"], 1000);

/** A size in bytes with decimal prefixes: `3.48 MB`. */
export const bytes = (value: number): string => scaled(value, ["B", "kB", "MB", "GB", "TB"], 1000);

function scaled(value: number, units: string[], base: number): string {
  let [scaledValue, unit] = [value, 0];
  // What rounds up to the base belongs to the next unit: 999,950 is 1 M, not 1000 k.
  while (unit < units.length - 1 && Number(scaledValue.toPrecision(3)) >= base) {
    scaledValue /= base;
    unit += 1;
  }
  const digits = unit === 0 ? count(scaledValue) : scaledValue.toPrecision(3);
  return [digits, units[unit]].filter(Boolean).join(NO_BREAK);
}

/** A fraction as a percentage: `92.5%`. */
export const percent = (fraction: number, digits = 1): string => `${(fraction * 100).toFixed(digits)}%`;

/** A percentage as it is typed, as a fraction without the noise of the division: 1.1 is 0.011. */
export const fraction = (percentage: number | null): number => Number(((percentage ?? 0) / 100).toPrecision(12));

/** A fraction with what it may be off by, to either side: `92.40% ±0.7`. */
export const withError = (fraction: number, error: number): string =>
  `${percent(fraction, 2)}${NO_BREAK}±${(error * 100).toFixed(1)}`;

/** A time in milliseconds, three digits of it: `0.84 ms`, `12.3 ms`, `1,240 ms`. */
export const milliseconds = (value: number): string =>
  `${value < 1000 ? Number(value.toPrecision(3)) : count(value)}${NO_BREAK}ms`;

/** A time with how it compares with the full network's: `1.2 ms, 1.50× as fast`. */
export const latency = (own: number, full: number): string => `${milliseconds(own)}, ${comparison(own, full)}`;

/** `1.50× as fast`, `slower: 0.80× as fast`, `as fast`: what rounds to the same is said to be the same. */
export function comparison(own: number, full: number): string {
  const times = (full / own).toFixed(2);
  if (Number(times) === 1) return "as fast";
  return own < full ? `${times}× as fast` : `slower: ${times}× as fast`;
}

/** The difference of two fractions in percentage points, with its sign: `+1.2`, `−0.4`. */
export function points(difference: number, digits = 1): string {
  const rounded = (difference * 100).toFixed(digits);
  if (Number(rounded) === 0) return (0).toFixed(digits);
  return difference > 0 ? `+${rounded}` : rounded.replace("-", "−");
}

/** A cross-entropy in nats: `0.312`. Null where it is not finite. */
export const loss = (value: number | null): string => (value === null ? "not finite" : value.toFixed(3));

/** A very small number: `2.4e-7`. */
export const tiny = (value: number): string => value.toExponential(1);

/** A value of any size in three digits: `0.0123`, `-4.1e-7`. */
export const significant = (value: number): string => {
  if (value === 0) return "0";
  const size = Math.abs(value);
  return size >= 1e-4 && size < 1e6 ? String(Number(value.toPrecision(3))) : value.toExponential(1);
};

/** `under 0.1 s`, `0.8 s`, `12 s`, `3 min 5 s`, `2 h 4 min` */
export function duration(seconds: number): string {
  if (seconds > 0 && seconds < 0.05) return "under 0.1 s";
  if (seconds < 9.95) return `${Math.max(0, seconds).toFixed(1)} s`;
  const whole = Math.round(seconds);
  if (whole < 60) return `${whole} s`;
  if (whole < 3600) return two(Math.floor(whole / 60), "min", whole % 60, "s");
  const minutes = Math.round(whole / 60);
  return two(Math.floor(minutes / 60), "h", minutes % 60, "min");
}

/** A duration that is only guessed: `about 40 s`, `about 28 min`, `about 3 h`. */
export function roughly(seconds: number): string {
  if (seconds < 90) return `about ${Math.max(1, Math.round(seconds))} s`;
  if (seconds < 5400) return `about ${Math.round(seconds / 60)} min`;
  return `about ${Math.round(seconds / 3600)} h`;
}

const two = (large: number, largeUnit: string, small: number, smallUnit: string): string =>
  small === 0 ? `${large} ${largeUnit}` : `${large} ${largeUnit} ${small} ${smallUnit}`;

/** `1 × 28 × 28` */
export const shape = (sizes: number[]): string => sizes.join(" × ");

/** An RFC 3339 time in the reader's own zone and habit. */
export const dateTime = (iso: string): string => DATE_TIME.format(new Date(iso));

/** A word or two at the start of a line. */
export const capitalised = (text: string): string => text.charAt(0).toUpperCase() + text.slice(1);

/** What stands at the start of a line, within one. */
export const uncapitalised = (text: string): string => text.charAt(0).toLowerCase() + text.slice(1);

// How the address of a page says how it is looked at.

/** How a value is written in an address. */
export interface Codec<T> {
  /** Undefined for what no page has written. */
  read(text: string): T | undefined;
  write(value: T): string;
}

/** One of a few words. */
export const oneOf = <T extends string>(words: readonly T[]): Codec<T> => ({
  read: (text) => words.find((word) => word === text),
  write: (word) => word,
});

/** Any text, such as an id. */
export const text: Codec<string> = { read: (value) => value || undefined, write: (value) => value };

/** Several ids or words, none of which has a comma in it. */
export const list: Codec<readonly string[]> = {
  read: (value) => value.split(",").filter(Boolean),
  write: (values) => values.join(","),
};

export const flag: Codec<boolean> = {
  read: (value) => (value === "1" ? true : value === "0" ? false : undefined),
  write: (value) => (value ? "1" : "0"),
};

/** A number that counts or numbers something. */
export const whole: Codec<number> = {
  read: (value) => (/^\d{1,15}$/.test(value) ? Number(value) : undefined),
  write: String,
};

/** From and to, such as the part of an axis that is zoomed into. */
export const range: Codec<readonly [number, number]> = {
  read: (value) => {
    const ends = value.split("~").map(Number);
    const [from, to] = ends;
    if (ends.length !== 2 || from === undefined || to === undefined) return undefined;
    return Number.isFinite(from) && Number.isFinite(to) && from < to ? [from, to] : undefined;
  },
  write: ([from, to]) => `${Number(from.toPrecision(6))}~${Number(to.toPrecision(6))}`,
};

// The columns of the table of compared candidates.

import type { CsvValue } from "./csv";
import { deltas, ratio, type Deltas, type Row } from "./compare";
import type { Codec } from "./codecs";
import { bytes, count, duration, loss, milliseconds, NONE, percent, points, si, withError } from "./format";
import { sortedBy as inOrder } from "./sorting";

export type Direction = "ascending" | "descending";

export interface Column {
  key: string;
  name: string;
  /** Width in rem: rows that scroll by must not change it. */
  width: number;
  /** What one wants to see first when sorting by it. */
  first: Direction;
  value(row: Row): CsvValue;
  text(row: Row): string;
  isText?: boolean;
  /** The difference that stands beside the value, and whether more of it is better. */
  delta?: { of: keyof Deltas; isGain: boolean };
  /** Whether it is there even if all say the same. */
  isFixed?: boolean;
}

const orNone = (value: number | null, text: (value: number) => string): string => (value === null ? NONE : text(value));

export const COLUMNS: readonly Column[] = [
  {
    key: "index",
    name: "Candidate",
    width: 7,
    first: "ascending",
    value: ({ index }) => index,
    text: ({ index }) => String(index),
    isFixed: true,
  },
  words("search", "Search", 14, ({ origin }) => origin.title),
  words("model", "Model", 11, ({ origin }) => origin.network.name),
  words("strategy", "Strategy", 7.5, ({ strategy }) => strategy),
  words("budget", "Budget", 9, ({ budget }) => budget),
  {
    key: "top1",
    name: "Top-1",
    width: 11.5,
    first: "descending",
    value: ({ top1 }) => top1,
    text: ({ top1, error }) => withError(top1, error),
    delta: { of: "top1", isGain: true },
    isFixed: true,
  },
  {
    key: "test",
    name: "Top-1 on test images",
    width: 8.5,
    first: "descending",
    value: ({ test }) => test,
    text: ({ test }) => orNone(test, (value) => percent(value, 2)),
    delta: { of: "test", isGain: true },
  },
  {
    key: "macs",
    name: "MACs",
    width: 8.5,
    first: "ascending",
    value: ({ macs }) => macs,
    text: ({ macs }) => si(macs),
    delta: { of: "macs", isGain: false },
    isFixed: true,
  },
  {
    key: "macs_share",
    name: "MACs, share of full",
    width: 6,
    first: "ascending",
    value: ({ macsShare }) => macsShare,
    text: ({ macsShare }) => orNone(macsShare, (value) => percent(value)),
  },
  {
    key: "parameters",
    name: "Parameters",
    width: 8.5,
    first: "ascending",
    value: ({ parameters }) => parameters,
    text: ({ parameters }) => si(parameters),
    delta: { of: "parameters", isGain: false },
  },
  {
    key: "bytes",
    name: "Size",
    width: 10,
    first: "ascending",
    value: ({ bytes }) => bytes,
    text: ({ bytes: value }) => orNone(value, bytes),
    delta: { of: "bytes", isGain: false },
  },
  {
    key: "latency",
    name: "Latency",
    width: 10,
    first: "ascending",
    value: ({ time }) => time?.milliseconds,
    text: ({ time }) => (time ? milliseconds(time.milliseconds) : NONE),
    delta: { of: "latency", isGain: false },
  },
  {
    key: "plain",
    name: "Top-1 without adaptive BN",
    width: 7.5,
    first: "descending",
    value: ({ plain }) => plain,
    text: ({ plain }) => orNone(plain, (value) => percent(value, 2)),
  },
  {
    key: "top5",
    name: "Top-5",
    width: 5.5,
    first: "descending",
    value: ({ top5 }) => top5,
    text: ({ top5 }) => percent(top5, 2),
  },
  {
    key: "loss",
    name: "Cross-entropy",
    width: 6.5,
    first: "ascending",
    value: ({ loss }) => loss,
    text: ({ loss: value }) => loss(value),
  },
  {
    key: "images",
    name: "Images",
    width: 5.5,
    first: "descending",
    value: ({ images }) => images,
    text: ({ images }) => count(images),
  },
  {
    key: "seconds",
    name: "Evaluated in",
    width: 6.5,
    first: "ascending",
    value: ({ seconds }) => seconds,
    text: ({ seconds }) => duration(seconds),
  },
];

function words(key: string, name: string, width: number, value: (row: Row) => string): Column {
  return { key, name, width, first: "ascending", value, text: value, isText: true };
}

/** The columns that say something that differs between these candidates. */
export const differingColumns = (rows: readonly Row[]): Column[] =>
  COLUMNS.filter(({ isFixed, value }) => {
    const [first] = rows;
    return isFixed || (first !== undefined && rows.some((row) => value(row) !== value(first)));
  });

/** Which column orders the candidates; `group:` and a name stands for what they keep of a group. */
export interface Sort {
  key: string;
  direction: Direction;
}

export const BY_ACCURACY: Sort = { key: "top1", direction: "descending" };

export const sortCodec: Codec<Sort> = {
  read(text) {
    const split = text.lastIndexOf("~");
    const [key, direction] = [text.slice(0, split), text.slice(split + 1)];
    return key && (direction === "ascending" || direction === "descending") ? { key, direction } : undefined;
  },
  write: ({ key, direction }) => `${key}~${direction}`,
};

export const groupKey = (name: string): string => `group:${name}`;

/** What a press on the heading of a column comes to. */
export const sortedBy = (now: Sort, key: string, first: Direction): Sort =>
  now.key === key
    ? { key, direction: now.direction === "ascending" ? "descending" : "ascending" }
    : { key, direction: first };

/** The rows in an order; ties by search and number, what is missing last either way. */
export function sorted(rows: readonly Row[], { key, direction }: Sort): Row[] {
  const value = valueOf(key);
  return inOrder(rows, (row) => value(row) ?? null, direction);
}

function valueOf(key: string): (row: Row) => CsvValue {
  const column = COLUMNS.find((column) => column.key === key);
  if (column) return column.value;
  const groups = new Map<string, number>();
  return (row) => {
    const { network } = row.origin;
    let place = groups.get(network.id);
    if (place === undefined) {
      place = network.groups.findIndex(({ name }) => groupKey(name) === key);
      groups.set(network.id, place);
    }
    return place < 0 ? null : ratio(row, place);
  };
}

/** A difference with its sign, and whether it is for the better; empty where there is none. */
export function deltaText(of: keyof Deltas, value: number | null): string {
  if (value === null) return "";
  if (of === "top1" || of === "test") return points(value, 2);
  return `${points(value, 1)}%`;
}

/** `good`, `bad`, or nothing for what is said to be no difference. */
export function tone(of: keyof Deltas, value: number | null, isGain: boolean): "good" | "bad" | "" {
  const isNone = value === null || Number(deltaText(of, value).replace(/[−+%]/g, "")) === 0;
  return isNone ? "" : value > 0 === isGain ? "good" : "bad";
}

/** The table with the differences as columns of their own. */
export function tableLines(
  rows: readonly Row[],
  columns: readonly Column[],
  pinned: Row | undefined,
): { header: string[]; lines: CsvValue[][] } {
  const header = columns.flatMap(({ key, delta }) => (delta ? [key, `${key}_difference`] : [key]));
  const lines = rows.map((row) => {
    const differences = deltas(row, pinned);
    return columns.flatMap(({ value, delta }) => (delta ? [value(row), differences[delta.of]] : [value(row)]));
  });
  return { header: ["id", ...header], lines: lines.map((line, place) => [rows[place]?.id, ...line]) };
}

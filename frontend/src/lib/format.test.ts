import { describe, expect, it } from "vitest";

import {
  bytes,
  comparison,
  counted,
  duration,
  latency,
  loss,
  milliseconds,
  percent,
  points,
  roughly,
  si,
  significant,
  tiny,
  withError,
} from "./format";

/** Numbers and units are held together by a space that does not break. */
const plain = (texts: string[]) => texts.map((text) => text.replaceAll("\u00a0", " "));

describe("si", () => {
  it("has three significant digits", () => {
    expect(plain([0, 999, 1000, 16_242_186, 4.089e9, 5.69e8].map(si))).toEqual([
      "0",
      "999",
      "1.00 k",
      "16.2 M",
      "4.09 G",
      "569 M",
    ]);
  });

  it("moves on to the next prefix when rounding reaches it", () => {
    expect(plain([si(999_950), si(999_400)])).toEqual(["1.00 M", "999 k"]);
  });
});

describe("bytes", () => {
  it("keeps small sizes whole", () => {
    expect(plain([0, 512, 3_480_325, 4e9].map(bytes))).toEqual(["0 B", "512 B", "3.48 MB", "4.00 GB"]);
  });
});

describe("fractions", () => {
  it("are percentages, and their differences points with a sign", () => {
    expect(percent(0.92525)).toBe("92.5%");
    expect([0.0123, -0.0044, 0.0001, -0.0001].map((p) => points(p))).toEqual(["+1.2", "−0.4", "0.0", "0.0"]);
  });
});

describe("duration", () => {
  it("drops what does not matter at that length", () => {
    expect([0.84, 9.97, 59.4, 59.6, 185, 120, 7440, 3599.7].map(duration)).toEqual([
      "0.8 s",
      "10 s",
      "59 s",
      "1 min",
      "3 min 5 s",
      "2 min",
      "2 h 4 min",
      "1 h",
    ]);
  });

  it("never goes below zero", () => {
    expect(duration(-3)).toBe("0.0 s");
  });
});

it("guesses a duration in one unit", () => {
  expect([0.2, 40.4, 100, 1693, 11_000].map(roughly)).toEqual([
    "about 1 s",
    "about 40 s",
    "about 2 min",
    "about 28 min",
    "about 3 h",
  ]);
});

it("counts with the right noun", () => {
  expect([counted(1, "image"), counted(9500, "image"), counted(0, "search", "searches")]).toEqual([
    "1 image",
    "9,500 images",
    "0 searches",
  ]);
});

it("says when a loss is not finite", () => {
  expect([loss(0.31249), loss(null)]).toEqual(["0.312", "not finite"]);
  expect(tiny(2.38e-7)).toBe("2.4e-7");
  expect([0, 0.012345, -123.456, 2.5e-7, 1e9, 0.1].map(significant)).toEqual([
    "0",
    "0.0123",
    "-123",
    "2.5e-7",
    "1.0e+9",
    "0.1",
  ]);
});

it("says an accuracy with its error", () => {
  expect(plain([withError(0.92404, 0.0068)])).toEqual(["92.40% ±0.7"]);
});

describe("latency", () => {
  it("has three digits", () => {
    expect(plain([0.08431, 1.2, 12.345, 999.7, 1240.4].map(milliseconds))).toEqual([
      "0.0843 ms",
      "1.2 ms",
      "12.3 ms",
      "1000 ms",
      "1,240 ms",
    ]);
  });

  it("says in words that a network is slower than the full one", () => {
    expect([comparison(2, 3), comparison(5, 4), comparison(1.001, 1), comparison(1, 1)]).toEqual([
      "1.50× as fast",
      "slower: 0.80× as fast",
      "as fast",
      "as fast",
    ]);
    expect(plain([latency(1.2, 1.8)])).toEqual(["1.2 ms, 1.50× as fast"]);
  });
});

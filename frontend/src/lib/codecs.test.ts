import { describe, expect, it } from "vitest";

import { flag, list, oneOf, range, whole } from "./codecs";

describe("what an address says of a view", () => {
  it("reads whole numbers and nothing else", () => {
    expect(["0", "12", "", "-1", "1.5", "1e3"].map(whole.read)).toEqual([
      0,
      12,
      undefined,
      undefined,
      undefined,
      undefined,
    ]);
    expect(whole.write(7)).toBe("7");
  });

  it("is read as it was written", () => {
    expect(range.read(range.write([0.25, 1_234_567]))).toEqual([0.25, 1_234_570]);
    expect(list.read(list.write(["a", "b"]))).toEqual(["a", "b"]);
    expect(list.read("")).toEqual([]);
    expect(flag.read(flag.write(false))).toBe(false);
    expect(oneOf(["macs", "latency"]).read("latency")).toBe("latency");
  });

  it("is nothing where no page has written it", () => {
    expect(oneOf(["macs", "latency"]).read("price")).toBeUndefined();
    expect(flag.read("yes")).toBeUndefined();
    for (const wrong of ["", "1", "2~1", "1~1", "1~x", "1~2~3"]) expect(range.read(wrong), wrong).toBeUndefined();
  });
});

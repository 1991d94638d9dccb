import { afterEach, beforeEach, describe, expect, it, vi } from "vitest";

import { gradually } from "./gradually";

describe("work in pieces", () => {
  let frames: (() => void)[] = [];
  let now = 0;

  beforeEach(() => {
    [frames, now] = [[], 0];
    vi.stubGlobal("requestAnimationFrame", (go: () => void) => frames.push(go));
    vi.stubGlobal("cancelAnimationFrame", (frame: number) => (frames[frame - 1] = () => {}));
    vi.spyOn(performance, "now").mockImplementation(() => now);
  });
  afterEach(() => {
    vi.unstubAllGlobals();
    vi.restoreAllMocks();
  });

  function* pieces(done: number[], count: number, each: number): Generator<void> {
    for (let piece = 0; piece < count; piece += 1) {
      done.push(piece);
      now += each;
      yield;
    }
  }

  it("is done at once where it takes little time", () => {
    const done: number[] = [];
    gradually(pieces(done, 5, 1));
    expect([done.length, frames.length]).toEqual([5, 0]);
  });

  it("goes on in the frames that follow where it takes longer", () => {
    const done: number[] = [];
    gradually(pieces(done, 5, 6));
    expect(done).toEqual([0, 1]);
    frames[0]?.();
    expect(done).toEqual([0, 1, 2, 3]);
    frames[1]?.();
    expect([done.length, frames.length]).toEqual([5, 2]);
  });

  it("is left undone when it is not wanted any more", () => {
    const done: number[] = [];
    const stop = gradually(pieces(done, 5, 6));
    stop();
    frames[0]?.();
    expect(done).toEqual([0, 1]);
  });
});

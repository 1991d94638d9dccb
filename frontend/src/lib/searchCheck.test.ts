import { afterEach, beforeEach, describe, expect, it, vi } from "vitest";

import { ApiError } from "../api/problem";
import type { Precheck, SearchRequest } from "../api/types";
import { SearchCheck } from "./searchCheck.svelte";

const text = (seed: number): string => JSON.stringify({ seed });

/** A server that answers when it is told to; what it says has the seed of the request in it. */
function slowServer() {
  const calls: { seed: number; signal: AbortSignal; answer: () => void; fail: (error: Error) => void }[] = [];
  const ask = ({ seed }: SearchRequest, signal: AbortSignal): Promise<Precheck> =>
    new Promise((resolve, reject) => {
      calls.push({ seed, signal, answer: () => resolve({ images: seed } as Precheck), fail: reject });
    });
  return { calls, check: new SearchCheck(ask) };
}

beforeEach(() => void vi.useFakeTimers());
afterEach(() => void vi.useRealTimers());

const settle = (): Promise<unknown> => vi.advanceTimersByTimeAsync(0);
const pause = (): Promise<unknown> => vi.advanceTimersByTimeAsync(700);

describe("a check", () => {
  it("is asked for once after a pause, however often the form changes before", async () => {
    const { calls, check } = slowServer();
    for (const seed of [1, 2, 3]) {
      check.follow(text(seed));
      await vi.advanceTimersByTimeAsync(300);
    }
    expect(calls).toEqual([]);
    await pause();
    expect(calls.map(({ seed }) => seed)).toEqual([3]);
    expect(check.isBusy).toBe(true);
    calls[0]?.answer();
    await settle();
    expect([check.value?.images, check.answered, check.isBusy]).toEqual([3, text(3), false]);
  });

  it("is not repeated for the same request, except by hand", async () => {
    const { calls, check } = slowServer();
    check.follow(text(1));
    await pause();
    check.follow(text(1));
    calls[0]?.answer();
    await settle();
    check.follow(text(1));
    await pause();
    expect(calls.length).toBe(1);
    check.now(text(1));
    expect(calls.length).toBe(2);
  });

  it("gives up the one before, whose late answer changes nothing", async () => {
    const { calls, check } = slowServer();
    check.follow(text(1));
    await pause();
    check.follow(text(2));
    expect(calls[0]?.signal.aborted).toBe(true);
    await pause();
    calls[1]?.answer();
    await settle();
    calls[0]?.answer();
    await settle();
    expect([check.value?.images, check.answered]).toEqual([2, text(2)]);
  });

  it("keeps the last answer while there is nothing to ask, and for the same request afterwards", async () => {
    const { calls, check } = slowServer();
    check.now(text(1));
    calls[0]?.answer();
    await settle();
    check.follow(undefined);
    expect([check.value?.images, check.answered]).toEqual([1, text(1)]);
    check.follow(text(1));
    await pause();
    expect([calls.length, check.isBusy]).toEqual([1, false]);
    check.follow(text(2));
    check.stop();
    await pause();
    expect(calls.length).toBe(1);
  });

  it("says what went wrong in place of an answer", async () => {
    const { calls, check } = slowServer();
    check.now(text(1));
    calls[0]?.answer();
    await settle();
    check.now(text(2));
    calls[1]?.fail(new ApiError({ type: "about:blank", title: "Too few", status: 422, detail: "Images." }));
    await settle();
    expect([check.value, check.problem?.title, check.answered]).toEqual([undefined, "Too few", text(2)]);
  });

  it("waits longer where checks take long", async () => {
    const { calls, check } = slowServer();
    check.now(text(1));
    await vi.advanceTimersByTimeAsync(6000);
    calls[0]?.answer();
    await settle();
    check.follow(text(2));
    await vi.advanceTimersByTimeAsync(2900);
    expect(calls.length).toBe(1);
    await vi.advanceTimersByTimeAsync(200);
    expect(calls.length).toBe(2);
  });
});

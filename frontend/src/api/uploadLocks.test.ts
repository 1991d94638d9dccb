import { afterEach, beforeEach, describe, expect, it, vi } from "vitest";

import { FakeLocks } from "../lib/fakeBrowser";
import { areTabsKnown, beingSent, unlessSending, untilFree, whileSending } from "./uploadLocks";

const NEVER = new AbortController().signal;

/** Sends until it is told that it is done. */
function sending(fingerprints: string[], signal = NEVER) {
  const send = vi.fn(() => new Promise<string>((resolve) => (end = resolve)));
  let end: (made: string) => void = () => undefined;
  return { send, sent: whileSending(fingerprints, signal, send), end: (made = "") => end(made) };
}

const settled = (): Promise<void> => new Promise((resolve) => setTimeout(resolve));

describe("files that are being sent", () => {
  beforeEach(() => vi.stubGlobal("navigator", { locks: new FakeLocks() }));
  afterEach(() => vi.unstubAllGlobals());

  it("are known for as long as they are sent", async () => {
    expect(areTabsKnown()).toBe(true);
    const one = sending(["b", "a", "b"]);
    await settled();
    expect(await beingSent()).toEqual(new Set(["a", "b"]));
    one.end("made");
    expect(await one.sent).toBe("made");
    expect(await beingSent()).toEqual(new Set());
  });

  it("are let go of when sending fails", async () => {
    await expect(whileSending(["a"], NEVER, () => Promise.reject(new Error("gone")))).rejects.toThrow("gone");
    expect(await beingSent()).toEqual(new Set());
  });

  it("are sent once at a time", async () => {
    const first = sending(["a"]);
    const second = sending(["a", "b"]);
    await settled();
    expect(second.send).not.toHaveBeenCalled();
    first.end();
    await settled();
    expect(second.send).toHaveBeenCalled();
    second.end();
    await second.sent;
  });

  it("are not waited for any longer when that is stopped", async () => {
    const first = sending(["a"]);
    const controller = new AbortController();
    const second = sending(["a"], controller.signal);
    await settled();
    controller.abort("cancelled");
    await expect(second.sent).rejects.toBe("cancelled");
    expect(second.send).not.toHaveBeenCalled();
    first.end();
    await first.sent;
  });

  it("are waited for by whoever wants to know", async () => {
    const one = sending(["a"]);
    const free = vi.fn();
    const waited = untilFree("a").then(free);
    await settled();
    expect(free).not.toHaveBeenCalled();
    one.end();
    await waited;
    await untilFree("a");
  });

  it("are left alone", async () => {
    const one = sending(["a"]);
    await settled();
    const work = vi.fn(() => Promise.resolve());
    await unlessSending("a", work);
    expect(work).not.toHaveBeenCalled();
    one.end();
    await one.sent;
    await unlessSending("a", work);
    expect(work).toHaveBeenCalledOnce();
  });
});

it("sends without locks where the browser has none", async () => {
  vi.stubGlobal("navigator", {});
  expect([areTabsKnown(), await beingSent()]).toEqual([false, new Set()]);
  expect(await whileSending(["a"], NEVER, () => Promise.resolve("made"))).toBe("made");
  vi.unstubAllGlobals();
});

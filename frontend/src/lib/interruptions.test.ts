import { afterEach, beforeEach, expect, it, vi } from "vitest";

import { whileSending } from "../api/uploadLocks";
import { FakeLocks, fakeStorage } from "./fakeBrowser";
import { Interruptions } from "./interruptions.svelte";

const note = JSON.stringify({ size: 5, metadata: { filename: "a.onnx" }, uploadUrl: "/uploads/1" });

beforeEach(() => {
  vi.stubGlobal("navigator", { locks: new FakeLocks() });
  vi.stubGlobal("fetch", async () => new Response());
});
afterEach(() => vi.unstubAllGlobals());

const settled = (): Promise<void> => new Promise((resolve) => setTimeout(resolve));
const names = ({ all }: Interruptions): string[] => all.map(({ name }) => name);

it("shows an upload as soon as the tab that was sending it is gone", async () => {
  const interruptions = new Interruptions(fakeStorage({ "tus::a::1": note }));
  let close = (): void => undefined;
  const sent = whileSending(
    ["a"],
    new AbortController().signal,
    () => new Promise<void>((resolve) => (close = resolve)),
  );
  await interruptions.look();
  expect(names(interruptions)).toEqual([]);
  close();
  await sent;
  await settled();
  expect(names(interruptions)).toEqual(["a.onnx"]);
});

it("shows what has been forgotten no longer, before anybody has answered", async () => {
  const storage = fakeStorage({ "tus::a::1": note });
  const interruptions = new Interruptions(storage);
  await interruptions.look();
  storage.removeItem("tus::a::1");
  void interruptions.look();
  expect(names(interruptions)).toEqual([]);
});

it("shows none that was given up", async () => {
  const interruptions = new Interruptions(fakeStorage({ "tus::a::1": note }));
  await interruptions.look();
  await interruptions.giveUp(interruptions.all[0]!);
  expect(names(interruptions)).toEqual([]);
  await interruptions.look();
  expect(names(interruptions)).toEqual([]);
});

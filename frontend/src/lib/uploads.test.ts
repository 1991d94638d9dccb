import { afterEach, beforeEach, expect, it, vi } from "vitest";

import { upload, type UploadProgress } from "../api/upload";
import { Uploads, uploadFraction, uploadText } from "./uploads.svelte";

vi.mock("../api/upload", () => ({ upload: vi.fn() }));

/** The server of a test: what the latest upload waits for. */
let server: {
  progress: (step: UploadProgress) => void;
  answer: (made: { id: string; name: string }) => void;
  refuse: (error: unknown) => void;
};

beforeEach(() => {
  vi.mocked(upload).mockImplementation(
    (_collection, _parts, progress, signal) =>
      new Promise((answer, refuse) => {
        server = { progress, answer: answer as (typeof server)["answer"], refuse };
        signal.addEventListener("abort", () => refuse(signal.reason));
      }),
  );
});
afterEach(() => vi.clearAllMocks());

it("follows an upload from its first byte to what it has become", async () => {
  const uploads = new Uploads();
  const { upload: one, finished } = uploads.start("models", "net.onnx", new FormData());
  expect(uploads.areRunning).toBe(true);
  expect([uploadText(one), uploadFraction(one)]).toEqual(["Uploading", 0]);
  server.progress({ phase: "waiting" });
  expect([uploadText(one), uploadFraction(one)]).toEqual(["Waiting for another upload of this file", undefined]);
  server.progress({ phase: "sending", sent: 5, total: 10 });
  expect(uploadFraction(one)).toBe(0.5);
  server.progress({ phase: "checking" });
  expect([uploadText(one), uploadFraction(one)]).toEqual(["Checking the files", undefined]);
  server.answer({ id: "m", name: "net" });
  await finished;
  expect([one.state, one.made?.id, uploads.areRunning]).toEqual(["done", "m", false]);
  expect(uploads.all).toEqual([one]);
  uploads.dismiss(one);
  expect(uploads.all).toEqual([]);
});

it("tries one again that failed, with the same files", async () => {
  const uploads = new Uploads();
  const parts = new FormData();
  const { upload: one, finished } = uploads.start("datasets", "images.zip", parts);
  server.refuse(new Error("the network is gone"));
  await finished;
  expect([one.state, one.problem?.detail, uploads.areRunning]).toEqual(["failed", "the network is gone", false]);
  const again = one.run();
  expect([one.state, one.problem, uploads.areRunning]).toEqual(["running", undefined, true]);
  server.answer({ id: "d", name: "images" });
  await again;
  expect(one.state).toBe("done");
  expect(vi.mocked(upload).mock.calls.map((call) => call[1])).toEqual([parts, parts]);
});

it("forgets one that was cancelled, and lets the others run", async () => {
  const uploads = new Uploads();
  const first = uploads.start("models", "a.pt", new FormData());
  const second = uploads.start("models", "b.pt", new FormData());
  first.upload.cancel();
  await first.finished;
  expect(uploads.all).toEqual([second.upload]);
  expect(uploads.areRunning).toBe(true);
});

import { afterEach, beforeEach, expect, it, vi } from "vitest";

import { FakeLocks, fakeStorage } from "../lib/fakeBrowser";
import { ApiError, UNREACHABLE } from "./problem";
import { sendResumably } from "./resumableUpload";
import { beingSent } from "./uploadLocks";

/** Stands for the uploads' library: it writes down what it begins, and the test says how that ends. */
const tus = vi.hoisted(() => {
  class Upload {
    static made: Upload[] = [];
    url: string | null = null;
    aborted = false;

    constructor(
      readonly file: File,
      readonly options: { uploadUrl?: string; onProgress: (bytes: number) => void; onSuccess: () => void },
    ) {
      Upload.made.push(this);
    }

    async findPreviousUploads(): Promise<{ uploadUrl: string }[]> {
      return Object.entries(localStorage)
        .filter(([key]) => key.startsWith(`tus::${this.file.name}::`))
        .map(([, text]) => JSON.parse(text as string));
    }

    resumeFromPreviousUpload({ uploadUrl }: { uploadUrl: string }): void {
      this.url = uploadUrl;
    }

    start(): void {
      this.url ??= this.options.uploadUrl ?? `/uploads/${Upload.made.length}`;
      const note = { size: this.file.size, metadata: { filename: this.file.name }, uploadUrl: this.url };
      localStorage.setItem(`tus::${this.file.name}::1`, JSON.stringify(note));
    }

    async abort(): Promise<void> {
      this.aborted = true;
    }
  }
  return { Upload, DetailedError: class {}, defaultOptions: { fingerprint: async ({ name }: File) => name } };
});
vi.mock("tus-js-client", () => tus);

let asked: [string, string][];

beforeEach(() => {
  vi.stubGlobal("navigator", { locks: new FakeLocks() });
  vi.stubGlobal("localStorage", fakeStorage());
  vi.stubGlobal("window", { location: { origin: "http://here" } });
  asked = [];
  vi.stubGlobal("fetch", async (address: string, { method }: RequestInit) => {
    asked.push([method ?? "", address]);
    return new Response();
  });
  tus.Upload.made = [];
});
afterEach(() => vi.unstubAllGlobals());

const settled = (): Promise<void> => new Promise((resolve) => setTimeout(resolve));

/** Sends files of which the server, when they are there, makes what `use` says. */
function send(
  names: string[],
  use: (ids: readonly string[]) => Promise<unknown>,
  signal = new AbortController().signal,
) {
  const heard: number[] = [];
  const onWait = vi.fn();
  const files = names.map((name) => new File(["12345"], name));
  const made = sendResumably(files, (bytes) => heard.push(bytes), onWait, signal, use);
  // Whoever looks at how it ended does so later.
  made.catch(() => undefined);
  return { made, heard, onWait };
}

/** What has arrived. */
async function arrive(place: number): Promise<void> {
  await settled();
  tus.Upload.made[place]?.options.onProgress(5);
  tus.Upload.made[place]?.options.onSuccess();
  await settled();
}

const refusal = (status: number, type = "/problems/any") =>
  Promise.reject(new ApiError({ type, title: "", detail: "", status }));

it("sends files in turn, is known to send them until they are used, and forgets them then", async () => {
  let answer: (made: string) => void = () => undefined;
  const use = vi.fn(() => new Promise<string>((resolve) => (answer = resolve)));
  const { made, heard, onWait } = send(["a", "b"], use);
  await arrive(0);
  await arrive(1);
  expect([heard, use.mock.calls]).toEqual([[5, 10], [[["1", "2"]]]]);
  expect(await beingSent()).toEqual(new Set(["a", "b"]));
  expect(Object.keys(localStorage)).toHaveLength(2);
  answer("made");
  expect(await made).toBe("made");
  expect([Object.keys(localStorage), await beingSent()]).toEqual([[], new Set()]);
  expect([asked, onWait.mock.calls]).toEqual([[], []]);
});

it("keeps what was interrupted, and goes on with it", async () => {
  const first = send(["a"], () => Promise.reject(new ApiError(UNREACHABLE)));
  await arrive(0);
  await expect(first.made).rejects.toThrow("No response");
  expect(Object.keys(localStorage)).toHaveLength(1);
  const second = send(["a"], async ([id]) => id);
  await arrive(1);
  expect(await second.made).toBe("1");
});

it("forgets what the server will not have; with other words it is not sent again from this page", async () => {
  const first = send(["a"], () => refusal(422));
  await arrive(0);
  await expect(first.made).rejects.toBeInstanceOf(ApiError);
  expect(Object.keys(localStorage)).toEqual([]);
  const second = send(["a"], async ([id]) => id);
  await arrive(1);
  expect([tus.Upload.made[1]?.options.uploadUrl, await second.made]).toEqual(["/uploads/1", "1"]);
  const third = send(["a"], async ([id]) => id);
  await arrive(2);
  expect(await third.made, "what was used is another file when it is sent again").toBe("3");
});

it.each([401, 409, 423, 429, 507])("keeps what was refused with status %d", async (status) => {
  const { made } = send(["a"], () => refusal(status));
  await arrive(0);
  await expect(made).rejects.toBeInstanceOf(ApiError);
  expect(Object.keys(localStorage)).toHaveLength(1);
});

it("keeps what ended early on its way", async () => {
  const { made } = send(["a"], () => refusal(400, "/problems/upload-interrupted"));
  await arrive(0);
  await expect(made).rejects.toBeInstanceOf(ApiError);
  expect(Object.keys(localStorage)).toHaveLength(1);
});

it("forgets what was cancelled, here and on the server", async () => {
  const controller = new AbortController();
  const { made } = send(["a", "b"], async () => "made", controller.signal);
  await arrive(0);
  controller.abort("cancelled");
  await expect(made).rejects.toBe("cancelled");
  expect(tus.Upload.made[1]?.aborted).toBe(true);
  expect(Object.keys(localStorage)).toEqual([]);
  expect(asked).toEqual([
    ["DELETE", "/uploads/1"],
    ["DELETE", "/uploads/2"],
  ]);
  expect(await beingSent()).toEqual(new Set());
});

it("begins nothing that was cancelled before", async () => {
  const { made } = send(["a"], async () => "made", AbortSignal.abort("cancelled"));
  await expect(made).rejects.toBe("cancelled");
  expect(tus.Upload.made).toEqual([]);
});

it("waits for another upload of the file, and leaves it alone when it is cancelled", async () => {
  const first = send(["a"], async () => "made");
  await settled();
  const controller = new AbortController();
  const second = send(["a"], async () => "made", controller.signal);
  await settled();
  expect([second.onWait.mock.calls.length, tus.Upload.made.length]).toEqual([1, 1]);
  controller.abort("cancelled");
  await expect(second.made).rejects.toBe("cancelled");
  expect([asked, Object.keys(localStorage).length]).toEqual([[], 1]);
  await arrive(0);
  expect(await first.made).toBe("made");
});

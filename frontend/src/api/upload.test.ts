import { afterEach, beforeEach, describe, expect, it, vi } from "vitest";

import { ApiError } from "./problem";
import { LARGE, upload, type UploadProgress } from "./upload";

/** Stands for the browser's XMLHttpRequest: the test says what the server does. */
class FakeRequest {
  static latest: FakeRequest;
  readonly upload: { onprogress?: (event: { loaded: number; total: number }) => void; onload?: () => void } = {};
  onload?: () => void;
  onerror?: () => void;
  onabort?: () => void;
  status = 0;
  responseText = "";
  opened: string[] = [];
  sent: unknown;

  constructor() {
    FakeRequest.latest = this;
  }

  open(...opened: string[]): void {
    this.opened = opened;
  }

  setRequestHeader(): void {}

  send(body: unknown): void {
    this.sent = body;
  }

  abort(): void {
    this.onabort?.();
  }

  answer(status: number, body: string): void {
    this.status = status;
    this.responseText = body;
    this.onload?.();
  }
}

beforeEach(() => vi.stubGlobal("XMLHttpRequest", FakeRequest));
afterEach(() => {
  vi.unstubAllGlobals();
  vi.restoreAllMocks();
});

const start = (progress: UploadProgress[] = [], signal = new AbortController().signal) =>
  upload<{ id: string }>("models", new FormData(), (step) => progress.push(step), signal);

describe("upload", () => {
  it("reports what is sent, then that the server checks, then what was made", async () => {
    const progress: UploadProgress[] = [];
    const made = start(progress);
    const request = FakeRequest.latest;
    expect(request.opened).toEqual(["POST", "/api/v1/models"]);
    expect(request.sent).toBeInstanceOf(FormData);
    request.upload.onprogress?.({ loaded: 5, total: 10 });
    request.upload.onload?.();
    request.answer(201, '{"id": "m"}');
    expect(await made).toEqual({ id: "m" });
    expect(progress).toEqual([{ phase: "sending", sent: 5, total: 10 }, { phase: "checking" }]);
  });

  it("throws the server's problem", async () => {
    const made = start();
    const problem = { type: "/problems/unusable-model", title: "Unusable model", status: 422, detail: "a text file" };
    FakeRequest.latest.answer(422, JSON.stringify(problem));
    const error = await made.catch((error: unknown) => error);
    expect(error).toBeInstanceOf(ApiError);
    expect((error as ApiError).problem).toEqual(problem);
  });

  it("says so when nothing or something else answers", async () => {
    const unreachable = start();
    FakeRequest.latest.onerror?.();
    await expect(unreachable).rejects.toThrow("No response from the server");
    const proxied = start();
    FakeRequest.latest.answer(502, "<html>");
    await expect(proxied).rejects.toThrow("The server responded with status 502");
  });

  it("can be stopped", async () => {
    const controller = new AbortController();
    const made = start([], controller.signal);
    controller.abort("cancelled");
    await expect(made).rejects.toBe("cancelled");
  });

  it("sends nothing that was stopped before it began", async () => {
    const send = vi.spyOn(FakeRequest.prototype, "send");
    await expect(start([], AbortSignal.abort("cancelled"))).rejects.toBe("cancelled");
    expect(send).not.toHaveBeenCalled();
  });

  it("can be stopped while what sends large files is loaded", async () => {
    const controller = new AbortController();
    const parts = new FormData();
    parts.set("file", new File([new Uint8Array(LARGE)], "large.onnx"));
    const made = upload("models", parts, () => undefined, controller.signal);
    controller.abort("cancelled");
    await expect(made).rejects.toBe("cancelled");
  });
});

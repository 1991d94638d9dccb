import { afterEach, beforeEach, describe, expect, it, vi } from "vitest";

import { searchEvents, tuningEvents } from "./client";
import { follow, type JobListener } from "./events";
import type { Candidate, Search } from "./types";

/** Stands for the browser's EventSource: the test says what arrives. */
class FakeSource extends EventTarget {
  static readonly CLOSED = 2;
  static latest: FakeSource;
  readyState = 1;
  onopen: (() => void) | null = null;
  onerror: (() => void) | null = null;

  constructor(readonly url: string) {
    super();
    FakeSource.latest = this;
  }

  send(type: string, data: unknown): void {
    this.dispatchEvent(new MessageEvent(type, { data: JSON.stringify(data) }));
  }

  close(): void {
    this.readyState = FakeSource.CLOSED;
  }
}

/** A listener that writes down what it hears. */
function recorder(): { heard: string[]; listener: JobListener<Search, Candidate> } {
  const heard: string[] = [];
  return {
    heard,
    listener: {
      onJob: (search) => heard.push(`search ${search.state}`),
      onParts: (candidates) => heard.push(`candidates ${candidates.map((candidate) => candidate.id).join("")}`),
      onConnection: (isConnected) => heard.push(isConnected ? "connected" : "lost"),
      onRefused: () => heard.push("refused"),
    },
  };
}

beforeEach(() => {
  vi.stubGlobal("EventSource", FakeSource);
  vi.useFakeTimers();
});
afterEach(() => {
  vi.unstubAllGlobals();
  vi.useRealTimers();
});

describe("follow", () => {
  it("hands candidates over in batches, and before the search that counts them", () => {
    const { heard, listener } = recorder();
    follow(searchEvents("s"), listener);
    const source = FakeSource.latest;
    expect(source.url).toBe("/api/v1/searches/s/events?candidates=rows");
    for (const id of ["a", "b", "c"]) source.send("candidate", { id });
    source.send("search", { state: "running" });
    source.send("candidate", { id: "d" });
    expect(heard).toEqual(["candidates abc", "search running"]);
    vi.runAllTimers();
    expect(heard).toEqual(["candidates abc", "search running", "candidates d"]);
  });

  it("hands over the first of many at once, and the rest together", () => {
    const { heard, listener } = recorder();
    follow(searchEvents("s"), listener);
    const source = FakeSource.latest;
    for (let part = 0; part < 1000; part += 1) source.send("candidate", { id: "." });
    expect(heard).toEqual([`candidates ${".".repeat(100)}`]);
    vi.advanceTimersByTime(100);
    expect(heard.length, "the page is not drawn again so soon").toBe(1);
    vi.runAllTimers();
    expect(heard[1]).toBe(`candidates ${".".repeat(900)}`);
  });

  it("follows any kind of job, by the names of its events", () => {
    const heard: string[] = [];
    follow<{ state: string }, { epoch: number }>(tuningEvents("t"), {
      onJob: ({ state }) => heard.push(state),
      onParts: (epochs) => heard.push(`epochs ${epochs.map(({ epoch }) => epoch).join()}`),
      onConnection: () => undefined,
      onRefused: () => undefined,
    });
    const source = FakeSource.latest;
    expect(source.url).toBe("/api/v1/tunings/t/events");
    source.send("epoch", { epoch: 1 });
    source.send("tuning", { state: "running" });
    source.send("candidate", { id: "a" });
    source.send("end", { state: "succeeded" });
    expect(heard).toEqual(["epochs 1", "running", "succeeded"]);
  });

  it("closes the stream at the end, so that the browser does not ask again", () => {
    const { heard, listener } = recorder();
    follow(searchEvents("s"), listener);
    FakeSource.latest.send("candidate", { id: "a" });
    FakeSource.latest.send("end", { state: "succeeded" });
    vi.runAllTimers();
    expect(heard).toEqual(["candidates a", "search succeeded"]);
    expect(FakeSource.latest.readyState).toBe(FakeSource.CLOSED);
  });

  it("tells a connection that the browser makes again from a refusal", () => {
    const { heard, listener } = recorder();
    follow(searchEvents("s"), listener);
    const source = FakeSource.latest;
    source.onopen?.();
    source.readyState = 0;
    source.onerror?.();
    source.readyState = FakeSource.CLOSED;
    source.onerror?.();
    expect(heard).toEqual(["connected", "lost", "refused"]);
  });

  it("is silent once it is stopped", () => {
    const { heard, listener } = recorder();
    const stop = follow(searchEvents("s"), listener);
    FakeSource.latest.send("candidate", { id: "a" });
    stop();
    vi.runAllTimers();
    expect(heard).toEqual([]);
    expect(FakeSource.latest.readyState).toBe(FakeSource.CLOSED);
  });
});

// A search's progress as the server sends it: server-sent events, with reconnection.

import { searchEvents } from "./client";
import type { Candidate, Search } from "./types";

/** What a follower wants to know. */
export interface SearchListener {
  /** The search has changed. The candidates that belong to this state were handed over before. */
  onSearch(search: Search): void;
  /** Candidates are new, or come once more after a reconnection. */
  onCandidates(candidates: Candidate[]): void;
  /** The connection stands, or is lost and being made again. */
  onConnection(isConnected: boolean): void;
  /** The server refuses to go on: the search may be gone, or the server is not itself. The stream is closed. */
  onRefused(): void;
}

/** Candidates are handed over in batches: a search that is reopened sends thousands at once. Milliseconds. */
const BATCH_DELAY = 50;

/**
 * Follows a search until it ends.
 *
 * A connection that breaks is made again by the browser, which tells the server the last event that it saw.
 *
 * @returns a function that stops following
 */
export function follow(id: string, listener: SearchListener): () => void {
  const source = new EventSource(searchEvents(id));
  let batch: Candidate[] = [];
  let timer: ReturnType<typeof setTimeout> | undefined;

  const flush = (): void => {
    clearTimeout(timer);
    timer = undefined;
    if (batch.length === 0) return;
    const candidates = batch;
    batch = [];
    listener.onCandidates(candidates);
  };
  const stop = (): void => {
    source.close();
    clearTimeout(timer);
  };

  source.addEventListener("candidate", ({ data }: MessageEvent<string>) => {
    batch.push(JSON.parse(data) as Candidate);
    timer ??= setTimeout(flush, BATCH_DELAY);
  });
  source.addEventListener("search", ({ data }: MessageEvent<string>) => {
    flush();
    listener.onSearch(JSON.parse(data) as Search);
  });
  // The server closes the stream after its end; without this the browser would ask again for ever.
  source.addEventListener("end", ({ data }: MessageEvent<string>) => {
    flush();
    stop();
    listener.onSearch(JSON.parse(data) as Search);
  });
  source.onopen = () => listener.onConnection(true);
  source.onerror = () => {
    if (source.readyState === EventSource.CLOSED) {
      flush();
      listener.onRefused();
    } else {
      listener.onConnection(false);
    }
  };
  return stop;
}

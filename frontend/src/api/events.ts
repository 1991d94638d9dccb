// A job's progress as the server sends it: server-sent events, with reconnection.

/** Where a job's events come from, and what they are called; at the job's end comes an `end` with the job. */
export interface EventStream {
  address: string;
  /** Events with the job. */
  job: string;
  /** Events with one of its parts. */
  part: string;
}

/** What a follower wants to know of a job and its parts, as the candidates of a search. */
export interface JobListener<Job, Part> {
  /** The job has changed. The parts that belong to this state were handed over before. */
  onJob(job: Job): void;
  /** Parts are new, or come once more after a reconnection. */
  onParts(parts: Part[]): void;
  /** The connection stands, or is lost and being made again. */
  onConnection(isConnected: boolean): void;
  /** The server refuses to go on: the job may be gone, or the server is not itself. The stream is closed. */
  onRefused(): void;
}

/**
 * Parts are handed over in batches: a search that is reopened sends thousands at once. The first of them are there at once, and do not
 * wait for a timer, which comes late while events keep coming. As long as batches are large, each waits twice as long as the one before,
 * for the page draws all that there is every time. Milliseconds, and parts.
 */
const BATCH_DELAY = 50;
const LARGE_DELAY = 400;
const LONGEST_DELAY = 1600;
const LARGE_BATCH = 20;
const FIRST_BATCH = 100;

/**
 * Follows a job until it ends.
 *
 * A connection that breaks is made again by the browser, which tells the server the last event that it saw.
 *
 * @returns a function that stops following
 */
export function follow<Job, Part>(stream: EventStream, listener: JobListener<Job, Part>): () => void {
  const source = new EventSource(stream.address);
  let batch: Part[] = [];
  let timer: ReturnType<typeof setTimeout> | undefined;
  let delay = BATCH_DELAY;
  let isFirst = true;

  const flush = (): void => {
    clearTimeout(timer);
    timer = undefined;
    if (batch.length === 0) return;
    isFirst = false;
    delay = batch.length < LARGE_BATCH ? BATCH_DELAY : Math.min(Math.max(LARGE_DELAY, 2 * delay), LONGEST_DELAY);
    const parts = batch;
    batch = [];
    listener.onParts(parts);
  };
  const stop = (): void => {
    source.close();
    clearTimeout(timer);
  };

  source.addEventListener(stream.part, ({ data }: MessageEvent<string>) => {
    batch.push(JSON.parse(data) as Part);
    if (isFirst && batch.length === FIRST_BATCH) flush();
    else timer ??= setTimeout(flush, delay);
  });
  source.addEventListener(stream.job, ({ data }: MessageEvent<string>) => {
    flush();
    listener.onJob(JSON.parse(data) as Job);
  });
  // The server closes the stream after its end; without this the browser would ask again for ever.
  source.addEventListener("end", ({ data }: MessageEvent<string>) => {
    flush();
    stop();
    listener.onJob(JSON.parse(data) as Job);
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

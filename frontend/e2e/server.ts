// The server of a test, and what a test does with it beside the page.

import { openAsBlob } from "node:fs";
import { readFile } from "node:fs/promises";
import { fileURLToPath } from "node:url";
import { gunzipSync } from "node:zlib";

import { expect, vi } from "vitest";

const address = process.env["EAGLEEYE_URL"];
if (!address)
  throw new Error("EAGLEEYE_URL must name a running server, as http://127.0.0.1:8080; cargo xtask browser sets it");

/** The server, which has a real worker. */
export const url: string = address;

/** A folder from which the server registers datasets; nothing where this was not set up. */
export const datasetRoot = process.env["EAGLEEYE_DATASETS"];

/** A file of the repository. */
export const repository = (path: string): string => fileURLToPath(new URL(`../../${path}`, import.meta.url));

const example = (name: string): Promise<Blob> => openAsBlob(repository(`examples/${name}`));

/** Of the example. */
const IMAGES = 9_500;

/** The first of the images or labels of an IDX file: `header` bytes, of which the second four are their number, and `size` each. */
async function first(count: number, name: string, header: number, size: number): Promise<Blob> {
  const all = gunzipSync(await readFile(repository(`examples/${name}`)));
  all.writeUInt32BE(count, 4);
  return new Blob([all.subarray(0, header + count * size)]);
}

/** A server, by its REST API. */
export class Server {
  constructor(readonly url: string) {}

  /** Uploads the example's network and the first of its images under a name; their ids. */
  async uploadExample(name: string, images = IMAGES): Promise<{ model: string; dataset: string }> {
    const [model, dataset] = await Promise.all([
      this.#upload("models", { file: await example("mobilenet_v1.pt"), input_shape: "1,1,28,28", name }),
      this.#upload("datasets", {
        images: await first(images, "fashion-mnist-images-idx3-ubyte.gz", 16, 28 * 28),
        labels: await first(images, "fashion-mnist-labels-idx1-ubyte.gz", 8, 1),
        name,
      }),
    ]);
    return { model, dataset };
  }

  /** The id of what was made. */
  async #upload(kind: "models" | "datasets", parts: Record<string, Blob | string>): Promise<string> {
    const body = new FormData();
    for (const [name, value] of Object.entries(parts)) {
      if (typeof value === "string") body.set(name, value);
      else body.set(name, value, name);
    }
    return made(await fetch(`${this.url}/api/v1/${kind}`, { method: "POST", body }));
  }

  /** Queues a search; its id. */
  async search(request: object): Promise<string> {
    const headers = { "Content-Type": "application/json" };
    return made(await fetch(`${this.url}/api/v1/searches`, { method: "POST", headers, body: JSON.stringify(request) }));
  }

  /** Waits until a search has a state, for so many milliseconds at most. */
  async untilSearch(id: string, state: string, timeout: number): Promise<void> {
    const now = async (): Promise<string> => (await (await fetch(`${this.url}/api/v1/searches/${id}`)).json()).state;
    await vi.waitFor(async () => expect(await now()).toBe(state), { timeout, interval: 500 });
  }

  async cancelSearch(id: string): Promise<void> {
    expect((await fetch(`${this.url}/api/v1/searches/${id}/cancel`, { method: "POST" })).ok).toBe(true);
  }

  async remove(kind: "models" | "datasets" | "searches", id: string): Promise<void> {
    expect((await fetch(`${this.url}/api/v1/${kind}/${id}`, { method: "DELETE" })).ok).toBe(true);
  }
}

async function made(answer: Response): Promise<string> {
  expect(answer.ok, await answer.clone().text()).toBe(true);
  return ((await answer.json()) as { id: string }).id;
}

// What most tests do with the server that they run against.
const server = new Server(url);

export const uploadExample = server.uploadExample.bind(server);
export const search = server.search.bind(server);
export const untilSearch = server.untilSearch.bind(server);
export const cancelSearch = server.cancelSearch.bind(server);

/** Deletes a search: other tests count searches. */
export const deleteSearch = (id: string): Promise<void> => server.remove("searches", id);
export const deleteModel = (id: string): Promise<void> => server.remove("models", id);
export const deleteDataset = (id: string): Promise<void> => server.remove("datasets", id);

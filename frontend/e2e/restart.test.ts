// A server that is killed while a search is watched, and started again.
//
// Starts a server of its own, with a worker: the program at EAGLEEYE_PROGRAM. The server at EAGLEEYE_URL is not touched.

import { spawn, type ChildProcess } from "node:child_process";
import { mkdtemp, rm } from "node:fs/promises";
import { createServer, type AddressInfo } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";

import type { Locator, Page } from "playwright-core";
import { afterAll, beforeAll, describe, expect, it, vi } from "vitest";

import { expectGoodPage, open, type Watched } from "./browser";
import { Server } from "./server";

const PATIENCE = 300_000;
const CANDIDATES = 6;

const program = process.env["EAGLEEYE_PROGRAM"];

let watched: Watched;
let page: Page;
let data = "";
let port = 0;
let running: ChildProcess | undefined;
let server: Server;

async function start(): Promise<void> {
  if (!program) throw new Error("EAGLEEYE_PROGRAM must name the server's program; cargo xtask browser sets it");
  const env = { RUST_LOG: "warn", ...process.env };
  running = spawn(program, ["serve", "--data", data, "--port", String(port)], { env, stdio: "inherit" });
  const isUp = async (): Promise<void> => expect((await fetch(`${server.url}/health`)).ok).toBe(true);
  await vi.waitFor(isUp, { timeout: 60_000, interval: 200 });
}

/** Ends the server as a power cut does; its workers notice. */
async function kill(): Promise<void> {
  const ended = new Promise((ended) => running?.once("exit", ended));
  running?.kill("SIGKILL");
  await ended;
  running = undefined;
}

async function freePort(): Promise<number> {
  const probe = createServer();
  await new Promise<void>((listening) => probe.listen(0, "127.0.0.1", listening));
  const { port } = probe.address() as AddressInfo;
  await new Promise((closed) => probe.close(closed));
  return port;
}

beforeAll(async () => {
  data = await mkdtemp(join(tmpdir(), "eagleeye-restart-"));
  port = await freePort();
  server = new Server(`http://127.0.0.1:${port}`);
  await start();
  watched = await open(server.url, 1);
  ({ page } = watched);
  page.setDefaultTimeout(60_000);
}, 120_000);
afterAll(async () => {
  await watched?.browser.close();
  if (running) {
    const ended = new Promise((ended) => running?.once("exit", ended));
    running.kill("SIGTERM");
    await ended;
  }
  await rm(data, { recursive: true, force: true });
}, 60_000);

const rows = (): Locator => page.getByRole("table", { name: "Candidates" }).locator("tbody tr");

describe.sequential("a server that is killed in the middle of a search", () => {
  it("is said to be away on the page, which stays as it is", async () => {
    const { model, dataset } = await server.uploadExample("Interrupted", 2000);
    const search = await server.search({
      model_id: model,
      dataset_id: dataset,
      name: "Interrupted",
      strategies: ["random"],
      macs: 0.5,
      candidates: CANDIDATES,
      seed: 7,
      calibration_images: 800,
      scoring_images: 1000,
      preprocessing: { mean: [0.286], deviation: [0.353] },
    });
    await page.goto(`/searches/${search}`);
    await rows().first().waitFor({ timeout: PATIENCE });
    await kill();
    await page.getByText("Connection lost", { exact: false }).first().waitFor();
    expect(await rows().count()).toBeGreaterThan(0);
    await expectGoodPage(page);
  });

  it("goes on with the search when it is back, and the page with it", { timeout: PATIENCE }, async () => {
    await start();
    await page.getByText("Succeeded", { exact: true }).first().waitFor({ timeout: PATIENCE });
    // The reference comes to those that were asked for, and none is there twice.
    await vi.waitFor(async () => expect(await rows().count()).toBe(CANDIDATES + 1));
    expect(await page.getByText("Connection lost", { exact: false }).count()).toBe(0);
    const indices = await rows().locator(".select").allInnerTexts();
    expect(new Set(indices).size).toBe(CANDIDATES + 1);
  });

  it("has broken no rule on the way", () => {
    // A browser says on its console that a stream broke, which is what this is about.
    const own = watched.faults.filter((fault) => !/ERR_(CONNECTION|INCOMPLETE)/.test(fault));
    expect(own).toEqual([]);
  });
});

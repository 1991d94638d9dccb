// The overview: the sample, what is being done, and the queue.
//
// Runs against the server at EAGLEEYE_URL, where nothing else is queued or running. The steps build on each other.

import type { Locator, Page } from "playwright-core";
import { afterAll, beforeAll, describe, expect, it } from "vitest";

import { expectGoodPage, open, type Watched } from "./browser";
import { cancelSearch, deleteDataset, deleteModel, deleteSearch, search, untilSearch, url } from "./server";

const PATIENCE = 200_000;

interface Queued {
  position: number | null;
  search_id: string;
}

let watched: Watched;
let page: Page;
let sample = { id: "", model_id: "", dataset_id: "" };
/** Searches of the sample's network. */
const waiting: string[] = [];

beforeAll(async () => {
  watched = await open(url, 1);
  ({ page } = watched);
  page.setDefaultTimeout(60_000);
}, PATIENCE);
afterAll(async () => {
  await watched?.browser.close();
  for (const id of [...waiting, sample.id].filter(Boolean)) await deleteSearch(id);
  if (sample.model_id) await deleteModel(sample.model_id);
  if (sample.dataset_id) await deleteDataset(sample.dataset_id);
}, PATIENCE);

const table = (): Locator => page.getByRole("table", { name: "Waiting and paused jobs" });
const names = async (): Promise<string[]> => table().locator("tbody th").allInnerTexts();
const button = (name: string): Locator => page.getByRole("button", { name, exact: true });
/** What moves on the page, or would on the way to another look. */
const motions = (): Promise<string[]> => page.evaluate<string[]>(MOTIONS);
const queue = async (): Promise<Queued[]> => (await (await fetch(`${url}/api/v1/queue`)).json()).items;

describe.sequential("the overview", () => {
  it("does the main job with the sample in one click", { timeout: PATIENCE }, async () => {
    // Other tests leave searches behind, and the sample is for somebody who has none.
    const searches = `${url}/api/v1/searches?limit=*`;
    await page.route(searches, (route) => route.fulfill({ json: { items: [], next_cursor: null } }));
    await page.goto("/");
    await button("Try the sample").waitFor();
    await expectGoodPage(page, "home-empty");
    await button("Try the sample").click();
    await page.waitForURL(/\/searches\/[0-9a-f-]{36}$/, { timeout: PATIENCE });
    await page.unroute(searches);
    const id = new URL(page.url()).pathname.split("/").at(-1) ?? "";
    sample = await (await fetch(`${url}/api/v1/searches/${id}`)).json();
    const [model, dataset] = await Promise.all(
      [`models/${sample.model_id}`, `datasets/${sample.dataset_id}`].map(async (path) =>
        (await fetch(`${url}/api/v1/${path}`)).json(),
      ),
    );
    expect([model.name, model.macs, dataset.images]).toEqual(["Sample: MobileNetV1", 15_666_752, 9_500]);
  });

  it("shows what is being done and what waits", { timeout: PATIENCE }, async () => {
    const { model_id, dataset_id } = sample;
    const request = { model_id, dataset_id, macs: 0.5, candidates: 1, calibration_images: 64, scoring_images: 64 };
    for (const name of ["One", "Two", "Three"]) {
      const preprocessing = { mean: [0.286], deviation: [0.353] };
      waiting.push(await search({ ...request, name, preprocessing }));
    }
    await untilSearch(sample.id, "running", PATIENCE);
    await page.getByRole("link", { name: "EagleEye" }).first().click();
    const now = page.getByRole("region", { name: "Now" });
    await now.getByRole("link", { name: "Sample: MobileNetV1 at 50% of MACs" }).first().waitFor();
    await now.getByRole("progressbar").waitFor();
    expect(await names()).toEqual(["One", "Two", "Three"]);
    await page.getByRole("region", { name: "Workers" }).getByText("Searching").waitFor();
    await now.getByText(/Best so far:\s+\d+\.\d+%/).waitFor({ timeout: PATIENCE });
    await now.getByText(/\d (s|min|h) left/).waitFor({ timeout: PATIENCE });
    await expectGoodPage(page, "home");
  });

  it("moves a job to another place, and cancels one", { timeout: PATIENCE }, async () => {
    await button("Do Three earlier").click();
    await expect.poll(names, { timeout: 20_000 }).toEqual(["One", "Three", "Two"]);
    await button("Do One later").click();
    await expect.poll(names, { timeout: 20_000 }).toEqual(["Three", "One", "Two"]);
    const order = (await queue()).filter(({ position }) => position !== null).map(({ search_id }) => search_id);
    expect(order).toEqual([waiting[2], waiting[0], waiting[1]]);
    expect([await button("Do Three earlier").isDisabled(), await button("Do Two later").isDisabled()]).toEqual([
      true,
      true,
    ]);
    await button("Cancel One").click();
    await expect.poll(names, { timeout: 20_000 }).toEqual(["Three", "Two"]);
    await untilSearch(waiting[0] ?? "", "cancelled", PATIENCE);
    for (const id of [waiting[1], waiting[2], sample.id]) await cancelSearch(id ?? "");
    await page.getByText("Nothing is running.").waitFor({ timeout: PATIENCE });
  });

  it("moves nothing where less motion is wanted, like other pages", { timeout: PATIENCE }, async () => {
    const { model_id, dataset_id } = sample;
    const preprocessing = { mean: [0.286], deviation: [0.353] };
    const request = { model_id, dataset_id, preprocessing, macs: 0.5, strategies: ["random"] };
    const long = { ...request, candidates: 2000, calibration_images: 256, scoring_images: 500 };
    const running = await search({ ...long, name: "Running" });
    waiting.push(running);
    const queued = await search({ ...long, name: "Queued" });
    waiting.push(queued);

    await page.goto(`/searches/${queued}`);
    await page.getByRole("progressbar").waitFor();
    expect(await motions(), "what shows that the search waits moves").not.toEqual([]);
    await page.emulateMedia({ reducedMotion: "reduce" });
    // Each with what is there once the page has its data.
    for (const [address, there] of [
      [`/searches/${queued}`, page.getByRole("progressbar")],
      [`/searches/${running}`, page.locator(".select")],
      [`/compare?searches=${running}`, page.locator(".select")],
      ["/", page.getByRole("region", { name: "Now" }).getByRole("progressbar")],
    ] as const) {
      await page.goto(address);
      await there.first().waitFor({ timeout: PATIENCE });
      expect(await motions(), address).toEqual([]);
    }
    await page.emulateMedia({ reducedMotion: null });
    for (const id of [queued, running]) await cancelSearch(id);
  });

  it("has broken no rule on the way", () => {
    expect(watched.faults).toEqual([]);
  });
});

/** Animations and transitions of more than a millisecond, each with its element's beginning. */
const MOTIONS = `
  (() => {
    const named = (element) => element.outerHTML.slice(0, 80);
    const animated = document.getAnimations().filter(({ effect }) => effect.getComputedTiming().endTime > 1);
    const isSlow = (style) => style.transitionDuration.split(",").some((seconds) => parseFloat(seconds) > 0.001);
    const changing = [...document.querySelectorAll("*")].filter((element) =>
      [null, "::before", "::after"].some((part) => isSlow(getComputedStyle(element, part))),
    );
    return [...animated.map(({ effect }) => effect.target), ...changing].map(named);
  })()`;

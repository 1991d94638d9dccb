// Candidates of searches beside each other, in views that follow each other.
//
// Runs against the server at EAGLEEYE_URL, where it makes a tiny search of its own. The steps build on each other.

import { readFile } from "node:fs/promises";

import type { Locator, Page } from "playwright-core";
import { afterAll, beforeAll, describe, expect, it } from "vitest";

import {
  expectGoodEverywhere,
  expectGoodPage,
  expectParam,
  field as fieldOf,
  open,
  param,
  type Watched,
} from "./browser";
import { deleteModel, deleteSearch, search, untilSearch, uploadExample, url } from "./server";

/** A search takes as long as the machine needs. Milliseconds. */
const PATIENCE = 300_000;

const NAME = "To be compared";
/** Of random and for each of the two budgets; the uniform strategy adds one. */
const CANDIDATES = 2;
const ROWS = 2 * (CANDIDATES + 1);
/** Of another search, for each of the same budgets. */
const OTHERS = 24;

let watched: Watched;
let page: Page;
let searched = "";
let other = "";
let model = "";

beforeAll(async () => {
  const uploaded = await uploadExample("For a comparison", 600);
  ({ model } = uploaded);
  searched = await search({
    model_id: model,
    dataset_id: uploaded.dataset,
    name: NAME,
    strategies: ["random"],
    budgets: [{ macs: 0.6 }, { macs: 0.3 }],
    candidates: CANDIDATES,
    seed: 7,
    calibration_images: 128,
    scoring_images: 256,
    preprocessing: { mean: [0.286], deviation: [0.353] },
  });
  other = await search({
    model_id: model,
    dataset_id: uploaded.dataset,
    name: "By sensitivity",
    strategies: ["sensitivity"],
    budgets: [{ macs: 0.6 }, { macs: 0.3 }],
    candidates: OTHERS,
    seed: 7,
    racing: false,
    calibration_images: 128,
    scoring_images: 256,
    preprocessing: { mean: [0.286], deviation: [0.353] },
  });
  await untilSearch(searched, "succeeded", PATIENCE);
  watched = await open(url, 1);
  ({ page } = watched);
  page.setDefaultTimeout(30_000);
}, PATIENCE);
afterAll(async () => {
  await watched?.browser.close();
  // Other tests count searches.
  for (const id of [searched, other].filter(Boolean)) await deleteSearch(id);
  if (model) await deleteModel(model);
});

const button = (name: string | RegExp): Locator => page.getByRole("button", { name, exact: true });
const heading = (name: string): Locator => page.getByRole("heading", { level: 2, name });
const table = (): Locator => page.getByRole("table", { name: "Compared candidates" });
const rows = (): Locator => table().locator("tbody tr[data-id]");
const said = (): Locator => page.getByRole("region", { name: "Channel groups" }).locator(".said");

describe.sequential("the comparison", () => {
  it("says what it is for while nothing is compared, and offers what can be", async () => {
    await page.goto("/");
    await page.getByRole("navigation").getByRole("link", { name: "Compare" }).click();
    await page.getByRole("heading", { level: 1, name: "Compare" }).waitFor();
    await page.getByText("Compares candidates of any searches").waitFor();
    await page.getByText(NAME, { exact: true }).waitFor();
    await expectGoodPage(page);
  });

  it("finds a search by its name and adds it", async () => {
    await page.getByLabel("Find a search").fill("nothing is called so");
    await page.getByText("0 searches").waitFor();
    await page.getByLabel("Find a search").fill("be compared succ");
    await page.getByRole("checkbox", { name: new RegExp(NAME) }).check();
    await heading("Candidates").waitFor();
    await expectParam(page, "searches", searched);
    await button("Done").click();
    await rows()
      .nth(ROWS - 1)
      .waitFor();
    expect(await rows().count()).toBe(ROWS);
    await expectGoodPage(page);
  });

  it("shows the same by its address, with the best first", async () => {
    await page.goto(page.url());
    await rows().first().waitFor();
    const accuracies = (await rows().locator("td.number:nth-of-type(3)").allInnerTexts()).map(parseFloat);
    expect(accuracies).toEqual(accuracies.toSorted((a, b) => b - a));
    await table().getByRole("button", { name: "MACs", exact: true }).click();
    await expectParam(page, "sort", "macs~ascending");
    expect(await table().getByRole("columnheader", { name: "MACs", exact: true }).getAttribute("aria-sort")).toBe(
      "ascending",
    );
  });

  it("measures against a candidate that is pinned", async () => {
    await page.getByText("Differences are to the full network").waitFor();
    const first = rows().first();
    await first.getByRole("button", { name: /^Measure against/ }).click();
    await page.getByText(/Differences are to Candidate \d/).waitFor();
    await expectParam(page, "baseline", await first.getAttribute("data-id"));
    expect(await first.locator(".delta").count()).toBe(0);
    await button("Use the full network").click();
    await expectParam(page, "baseline", null);
  });

  it("is gone through by the keyboard, row by row", async () => {
    await rows().first().locator(".select").focus();
    await page.keyboard.press("ArrowDown");
    await page.keyboard.press("ArrowDown");
    await rows().nth(2).locator(".select:focus").waitFor();
    await page.keyboard.press("Enter");
    await expectParam(page, "selected", await rows().nth(2).getAttribute("data-id"));
    await page.getByRole("region", { name: "Units kept per channel group" }).waitFor();
  });

  it("says what a candidate keeps of a group, at the cursor of the heat map", async () => {
    const map = page.getByRole("application", { name: /^Heat map/ });
    await map.focus();
    await page.keyboard.press("End");
    await page.keyboard.press("ArrowRight");
    await page.getByText(/^Candidate \d+ keeps \d+ of 32 of features\.1\.1\.0, \d+\.\d%$/).waitFor();
    // The sentence may be there a frame before the row is marked.
    await expect.poll(() => rows().last().getAttribute("class"), { timeout: 5000 }).toContain("hovered");
    await page.keyboard.press("s");
    await expectParam(page, "sort", "group:features.1.1.0~ascending");
    await page.keyboard.press("Enter");
    await expect.poll(() => param(page, "selected")?.split(",").length).toBe(2);
    await map.hover({ position: { x: 200, y: 110 } });
    await expect.poll(() => said().innerText()).toMatch(/keeps \d+ of/);
  });

  it("has two candidates side by side, group by group and layer by layer", async () => {
    const groups = page.getByRole("region", { name: "Units kept by both, per channel group" });
    expect(await groups.locator("tbody tr").count()).toBe(14);
    const layers = page.getByRole("region", { name: "Units and MACs of both, per layer" });
    expect(Number(await layers.getByRole("table").getAttribute("aria-rowcount"))).toBeGreaterThan(20);
    expect(await layers.getByRole("rowheader").count()).toBeGreaterThan(5);
    await page.getByText(/of \d+ layers differ; in\s+all [+−]?\d/).waitFor();
    await expectGoodPage(page);
  });

  it("limits what all views show, by the keyboard and by a brush", async () => {
    await page.getByText("Limit what is shown").click();
    await fieldOf(page, "Limit").selectOption("macs");
    await fieldOf(page, "To %").fill("40");
    await button("Limit").click();
    await page.getByText(`${ROWS / 2} of ${ROWS} candidates`).waitFor();
    await expectParam(page, "brush", "macs~0~0.4");
    expect(await page.getByRole("region", { name: /^Strategies, / }).count()).toBe(1);
    await button("Remove all limits").click();
    expect(await rows().count()).toBe(ROWS);

    await page.getByLabel("Parallel coordinates", { exact: true }).check();
    await expectParam(page, "face", "parallel");
    const chart = page.getByRole("application", { name: /^Parallel coordinates/ });
    // The whole axis of the first group, and a little more. Nothing may scroll while the brush is drawn, and hovering waits until the
    // chart stands still.
    await chart.evaluate((element) => element.scrollIntoView({ block: "center" }));
    await chart.hover({ position: { x: 44, y: 90 } });
    await page.mouse.down();
    await chart.hover({ position: { x: 44, y: 200 } });
    await chart.hover({ position: { x: 44, y: 396 } });
    await page.mouse.up();
    await expectParam(page, "brush", "group:features.0.0~0~1");
    await page.getByText(`${ROWS} candidates.`).waitFor();
    await expectGoodEverywhere(page, "compare-parallel");
    await page.getByRole("button", { name: "Remove the limit on features.0.0" }).click();
  });

  it("shows accuracy against any cost, and limits what all views show by a rectangle", async () => {
    const chart = page.getByRole("listbox", { name: "Accuracy against cost" });
    expect(await chart.getByRole("option").count()).toBe(ROWS);
    await fieldOf(page, "Cost").selectOption("parameters");
    await expectParam(page, "axis", "parameters");
    // Where the pointer rests, nothing is to be pointed at when the page scrolls under it.
    await page.mouse.move(0, 0);
    await chart.focus();
    await page.keyboard.press("Home");
    const tip = page.locator(".tip");
    await tip.getByText(/points to the full network$/).waitFor();
    await tip.getByText(/^Candidate \d+, (random|uniform, the reference)$/).waitFor();
    expect(await rows().locator("xpath=self::tr[contains(@class, 'hovered')]").count(), "in the table").toBe(1);

    await chart.evaluate((element) => element.scrollIntoView({ block: "center" }));
    const { width, height } = (await chart.boundingBox()) ?? { width: 0, height: 0 };
    await chart.hover({ position: { x: 58, y: 30 } });
    await page.mouse.down();
    await chart.hover({ position: { x: width / 2, y: height / 2 } });
    await chart.hover({ position: { x: width - 26, y: height - 46 } });
    await page.mouse.up();
    await expect
      .poll(() => param(page, "brush"))
      .toMatch(/^cost:parameters~\d+(\.\d+)?~\d+(\.\d+)?;top1~\d(\.\d+)?~\d(\.\d+)?$/);
    await page.getByRole("button", { name: "Remove the limit on Parameters" }).waitFor();
    await expectGoodPage(page);
    await chart.focus();
    await page.keyboard.press("Delete");
    await expectParam(page, "brush", null);
    expect(await rows().count()).toBe(ROWS);
    await fieldOf(page, "Cost").selectOption("macs");
  });

  it("has strategies against each other for each budget, with what the best took", async () => {
    const budget = page.getByRole("region", { name: "Strategies, 60% of MACs" });
    const [uniform, random] = await budget.locator("tbody tr").allInnerTexts();
    expect(uniform).toMatch(/^uniform\s+1\s/);
    expect(random).toMatch(/^random\s+2\s.*[12] of 2\s/s);
    expect(await page.getByRole("img", { name: /^Spread of top-1 accuracy by strategy/ }).count()).toBe(2);
  });

  it("shows settings of one search when they are asked for", async () => {
    await page.getByText("There is one search").waitFor();
    await page.getByRole("checkbox", { name: /^Show \d+ settings/ }).check();
    await expectParam(page, "all-settings", "1");
    await page.getByRole("rowheader", { name: "Calibration images", exact: true }).waitFor();
  });

  it("hands out its tables and charts as files", async () => {
    const save = page.getByRole("group", { name: "Save Compared candidates" }).getByRole("button", { name: "CSV" });
    const [download] = await Promise.all([page.waitForEvent("download"), save.click()]);
    const lines = (await readFile(await download.path(), "utf8")).trim().split("\r\n");
    expect(lines.length).toBe(ROWS + 1);
    expect(lines[0]).toContain("top1,top1_difference");
    const picture = page.getByRole("group", { name: /^Save Kept units/ }).getByRole("button", { name: "PNG" });
    const [png] = await Promise.all([page.waitForEvent("download"), picture.click()]);
    expect(png.suggestedFilename()).toMatch(/\.png$/);
  });

  it("compares two candidates and nothing else", async () => {
    await button("Compare only these").click();
    await page.getByText("2 candidates.").waitFor();
    await expectParam(page, "searches", null);
    expect(param(page, "candidates")?.split(",").length).toBe(2);
    await page.goto(page.url());
    await rows().nth(1).waitFor();
    expect(await rows().count()).toBe(2);
    // Two of a search's candidates do not tell how many it took.
    await page.getByText("What the best took (–) is known only where a whole search is compared.").waitFor();
    await page.getByRole("list", { name: "Compared" }).getByRole("button").first().click();
    await page.getByText("1 candidate.").waitFor();
  });

  it("has two searches beside each other, and what differs between them", { timeout: PATIENCE }, async () => {
    await untilSearch(other, "succeeded", PATIENCE);
    await page.goto(`/compare?searches=${searched},${other}`);
    await page.getByText("Differences are to the full network of each search").waitFor();
    const map = page.getByRole("application", { name: /^Heat map/ });
    await map.focus();
    await page.keyboard.press("Home");
    for (const key of ["Enter", "ArrowDown", "ArrowDown", "Enter"]) await page.keyboard.press(key);
    await expect.poll(() => param(page, "selected")?.split(",").length).toBe(2);
    const settings = page.getByRole("region", { name: "What differs" });
    expect(await settings.getByRole("rowheader", { name: "Strategies", exact: true }).count()).toBe(1);
    const budget = page.getByRole("region", { name: "Strategies, 60% of MACs" });
    expect(await budget.locator("tbody tr").count()).toBeGreaterThan(2);
    await expectGoodPage(page, "compare");
  });

  it("says what is not there", async () => {
    await page.goto("/compare?searches=00000000-0000-7000-8000-000000000000");
    await page.getByRole("alert").getByText("Not found").waitFor();
    await page.getByRole("button", { name: "Remove this search" }).click();
    await page.getByText("Compares candidates of any searches").waitFor();
    await expectGoodPage(page);
  });

  it("has broken no rule on the way", () => {
    expect(watched.faults).toEqual([]);
  });
});

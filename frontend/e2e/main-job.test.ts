// The main job by hand: upload a network and its images, search, compare, download.
//
// Runs against the server at EAGLEEYE_URL, which has a real worker. The steps build on each other.

import { readFile } from "node:fs/promises";

import type { Locator, Page, Request } from "playwright-core";
import { afterAll, beforeAll, describe, expect, it } from "vitest";

import { expectGoodEverywhere, expectGoodPage, expectParam, field as fieldOf, open, type Watched } from "./browser";
import { repository, Server, url } from "./server";

const SEARCH = { candidates: 8, calibration: 1000, scoring: 1500 };

/** A search takes as long as the machine needs. Milliseconds. */
const PATIENCE = 540_000;

/** More stops of the tab key than any page has before what is looked for. */
const MOST_STOPS = 150;

/** The uniform strategy is always evaluated beside those that are asked for. */
const SHOWN = SEARCH.candidates + 1;

/** Chooses the strategy that spends no evaluation on probes, so that the number of candidates is known. */
async function drawAtRandom(): Promise<void> {
  await page.locator('input[name="strategies"][value="random"]').check();
  await page.locator('input[name="strategies"][value="sensitivity"]').uncheck();
}

let watched: Watched;
let page: Page;
/** The page of the finished search. */
let finished = "";

beforeAll(async () => {
  watched = await open(url, 1);
  ({ page } = watched);
  page.setDefaultTimeout(30_000);
});
afterAll(async () => {
  await watched?.browser.close();
});

const button = (name: string): Locator => page.getByRole("button", { name, exact: true });
const link = (name: string): Locator => page.getByRole("link", { name, exact: true });
const heading = (name: string | RegExp): Locator => page.getByRole("heading", { level: 1, name });
const field = (label: string): Locator => fieldOf(page, label);
const choosePreset = (name: string): Promise<unknown> => field("Preset").selectOption(name);
const alert = (): Locator => page.getByRole("alert");
/** Candidates in the chart. */
const marks = (): Locator => page.locator("svg [role=option]");
const fact = (name: string): Locator =>
  page.locator("dl div", { has: page.locator("dt", { hasText: name }) }).locator("dd");

/** Goes on with the tab key until this has the focus. */
async function tabTo(target: Locator): Promise<void> {
  for (let stops = 0; !(await target.evaluate(hasFocus)); stops += 1) {
    expect(stops, `stops on the way to ${target}`).toBeLessThan(MOST_STOPS);
    await page.keyboard.press("Tab");
  }
}

/** Goes on to a field and writes over what is in it. */
async function typeInto(label: string, text: string): Promise<void> {
  await tabTo(field(label));
  await page.keyboard.press("ControlOrMeta+a");
  await page.keyboard.type(text);
}

describe.sequential("the main job", () => {
  it("starts on a page that says what to do", async () => {
    const requests: Request[] = [];
    const note = (request: Request): void => void requests.push(request);
    page.on("requestfinished", note);
    await page.goto("/");
    await heading("Prune a trained classifier").waitFor();
    await page.getByText(/workers? up/).waitFor();
    page.off("requestfinished", note);
    const sizes = await Promise.all(requests.map((request) => request.sizes()));
    const bytes = sizes.reduce((sum, { responseBodySize }) => sum + responseBodySize, 0);
    expect(requests.length, "requests of a first load").toBeLessThanOrEqual(12);
    expect(bytes, "bytes of a first load").toBeLessThanOrEqual(100_000);
    await expectGoodPage(page);
  });

  it("refuses a text file as a model, with the server's reason", async () => {
    await link("Upload a model").click();
    await heading("Models").waitFor();
    await button("Upload model").click();
    await page.getByText("Choose a file.").waitFor();
    await field("Model file").setInputFiles(repository("README.md"));
    await button("Upload model").click();
    await alert().getByText("Unusable model").waitFor();
    expect(await alert().innerText()).toMatch(/TorchScript|ONNX/);
    await expectGoodPage(page, "models");
  });

  it("names the field that the server refuses", async () => {
    await field("Model file").setInputFiles(repository("examples/mobilenet_v1.pt"));
    await field("Input shape").fill("1,x,28,28");
    await button("Upload model").click();
    await page.locator(".field .error", { hasText: "positive whole numbers" }).waitFor();
    expect(await field("Input shape").getAttribute("aria-invalid")).toBe("true");
  });

  it("uploads a network and shows what can be pruned", async () => {
    await field("Input shape").fill("1,1,28,28");
    await field("Name").fill("MobileNetV1 on Fashion-MNIST");
    await button("Upload model").click();
    await heading("MobileNetV1 on Fashion-MNIST").waitFor();
    expect(await fact("Parameters").innerText()).toContain("823,434");
    expect(await fact("Batch norms").innerText()).toContain("27");
    expect(await fact("Classes").innerText()).toBe("10");
    expect(await page.getByText("is a guess").count()).toBe(0);
    const groups = page.getByRole("table", { name: "Channel groups" });
    expect(await groups.getByText("Prunable").count()).toBeGreaterThan(0);
    expect(await groups.getByText("Locked:").count()).toBeGreaterThan(0);
    await expectGoodPage(page, "model");
  });

  it("says that an input shape is a guess, sets it and counts the MACs again", async () => {
    await link("Models").click();
    await field("Model file").setInputFiles(repository("examples/mobilenet_v1.pt"));
    await button("Upload model").click();
    await page.getByText("The input shape 1 × 1 × 28 × 28 is a guess").waitFor();
    const before = await fact("MACs per image").innerText();
    await expectGoodPage(page);
    await field("Input shape").fill("1,3,28,28");
    await button("Set input shape").click();
    await alert().getByText("Unusable model").waitFor();
    await field("Input shape").fill("1,1,56,56");
    await button("Set input shape").click();
    await page.getByText("is a guess").waitFor({ state: "detached" });
    expect(await fact("Input").innerText()).toContain("1 × 1 × 56 × 56");
    expect(await fact("MACs per image").innerText()).not.toBe(before);
  });

  it("renames what has a name, in its place", async () => {
    await button("Rename").click();
    await field("New name").fill("  ");
    await button("Save").click();
    await page.getByText("Enter a name.").waitFor();
    await field("New name").fill("MobileNetV1 at 56 × 56");
    await expectGoodPage(page);
    await page.keyboard.press("Enter");
    await heading("MobileNetV1 at 56 × 56").waitFor();
    await button("Rename").click();
    await page.keyboard.press("Escape");
    await heading("MobileNetV1 at 56 × 56").waitFor();
  });

  it("deletes nothing by two presses of Enter", async () => {
    const here = page.url();
    await button("Delete").focus();
    await page.keyboard.press("Enter");
    await page.getByRole("dialog").waitFor();
    expect(await page.evaluate("document.activeElement.textContent")).toBe("Keep it");
    await page.keyboard.press("Enter");
    await page.getByRole("dialog").waitFor({ state: "hidden" });
    expect(page.url()).toBe(here);
    await heading("MobileNetV1 at 56 × 56").waitFor();
    await button("Delete").click();
    await button("Delete the model").click();
    await heading("Models").waitFor();
    expect(await link("MobileNetV1 at 56 × 56").count()).toBe(0);
  });

  it("uploads the images and shows the classes", async () => {
    await link("Datasets").click();
    await heading("Datasets").waitFor();
    await field("Images").setInputFiles(repository("examples/fashion-mnist-images-idx3-ubyte.gz"));
    await field("Labels").setInputFiles(repository("examples/fashion-mnist-labels-idx1-ubyte.gz"));
    const form = page.getByRole("form", { name: "Upload a dataset" });
    await form.getByRole("textbox", { name: /^Name/ }).fill("Fashion-MNIST");
    await expectGoodPage(page);
    await button("Upload dataset").click();
    await heading("Fashion-MNIST").waitFor();
    expect(await fact("Images").innerText()).toBe("9,500");
    expect(await fact("Classes").innerText()).toBe("10");
    expect(await page.locator("svg rect").count()).toBe(10);
    const sample = page.getByAltText("Sample 1, class 0", { exact: true });
    await expect.poll(() => sample.evaluate(imageWidth), { timeout: 30_000 }).toBeGreaterThan(0);
    await expectGoodPage(page, "dataset");
  });

  it("refuses a budget out of reach, and says why once, at its field", async () => {
    await link("Start a search").click();
    await heading("New search").waitFor();
    await choosePreset("fashion_mnist");
    await field("Budget (percent of MACs)").fill("0.1");
    await page.getByText("can be pruned to between").waitFor();
    await button("Start the search").click();
    await alert().getByText("Budget out of reach").waitFor();
    expect(await alert().innerText()).toContain("See the field Budget");
    expect(await page.getByText("can be pruned to between").count()).toBe(1);
    await expectGoodPage(page);
  });

  it("runs a search that can be watched", async () => {
    await field("Budget (percent of MACs)").fill("50");
    await drawAtRandom();
    await field("Candidates").fill(String(SEARCH.candidates));
    await field("Calibration images").fill(String(SEARCH.calibration));
    await field("Scoring images").fill(String(SEARCH.scoring));
    await field("Seed").fill("7");
    await page.getByText("unseen by every candidate").waitFor();
    await button("Start the search").click();
    await heading("MobileNetV1 on Fashion-MNIST at 50% of MACs").waitFor();
    finished = page.url();
    const cards = page.locator(".results > *");
    const columns = (): Promise<number[]> =>
      cards.evaluateAll((elements) => elements.map((element) => Math.round(element.getBoundingClientRect().left)));
    const before = await columns();
    expect(before.length).toBe(4);

    // The first candidate shows up while others are still to come.
    await marks().first().waitFor({ timeout: PATIENCE });
    expect(await page.getByText("Running", { exact: true }).count()).toBe(1);
    expect(await columns(), "no card changes its column").toEqual(before);
    await expectGoodPage(page, "search-running");
  });

  it("ends with every candidate in chart and table, and a winner", async () => {
    await page.getByText("Succeeded", { exact: true }).first().waitFor({ timeout: PATIENCE });
    expect(await marks().count()).toBe(SHOWN);
    const table = page.getByRole("table", { name: "Candidates" });
    expect(await table.getAttribute("aria-rowcount"), "with its heading").toBe(String(SHOWN + 1));
    const rows = table.locator("tbody tr");
    expect(await rows.first().innerText()).toContain("best");

    const [full, best, plain] = await Promise.all(
      ["Full network, top-1", "Best candidate, top-1", "Without adaptive BN"].map(async (name) =>
        parseFloat(await fact(name).innerText()),
      ),
    );
    expect(full).toBeGreaterThan(90);
    expect(best).toBeGreaterThan(50);
    expect(plain).toBeLessThan(best ?? 0);
    await expectGoodPage(page, "search");
    await button("Fit candidates").click();
    await page.waitForURL(/[?&]x=/);
    expect(await marks().count(), "all of them are in sight").toBe(SHOWN);
    await button("Reset zoom").click();
    await expectParam(page, "x", null);
  });

  it("shows several warnings of one kind, as of two runtimes", async () => {
    const address = `${url}/api/v1/searches/${finished.split("/").at(-1)}`;
    const search = await (await fetch(address)).json();
    const warning = { code: "winner_slower_than_full", at: "after" };
    const warnings = ["In one runtime.", "In the other."].map((message) => ({ ...warning, message }));
    await page.route(address, (route) => route.fulfill({ json: { ...search, warnings } }));
    await page.route(`${address}/events*`, (route) => route.abort());
    await page.goto(finished);
    await page.getByText("In the other.").waitFor();
    const titles = page.getByRole("region", { name: "2 warnings" }).getByText("Winner slower than the full network");
    expect(await titles.count()).toBe(2);
    await page.getByRole("heading", { name: "Settings" }).waitFor();
    await link("MobileNetV1 on Fashion-MNIST").waitFor();
    await page.unroute(address);
    await page.unroute(`${address}/events*`);
    await page.goto(finished);
    await marks().first().waitFor();
  });

  it("says once why a search failed, with where it did and what to do", async () => {
    const address = `${url}/api/v1/searches/${finished.split("/").at(-1)}`;
    const search = await (await fetch(address)).json();
    const failed = {
      ...{
        state: "failed",
        error: "the full network classifies 10.7%, which is chance for 10 classes: check the mean",
      },
      ...{ progress: { phase: "baseline", done: 1, total: 2 }, winners: [], best_candidate_id: null },
      warnings: [
        { code: "near_chance", at: "before", message: "Not clearly above chance. Check the mean." },
        { code: "few_scoring_images", at: "before", message: "Score on more images." },
      ],
    };
    await page.route(address, (route) => route.fulfill({ json: { ...search, ...failed } }));
    await page.route(`${address}/events*`, (route) => route.abort());
    await page.goto(finished);
    await alert().getByText("While the full network was scored: the full network classifies 10.7%").waitFor();
    await alert().getByText("check the mean; start it again with changes.").waitFor();
    await page.getByRole("heading", { name: "Warning", exact: true }).waitFor();
    expect(await page.getByText("check the mean").count()).toBe(1);
    expect(await page.getByText("near chance").count()).toBe(0);
    await page.getByText("Failed while the full network was scored, for the reason above").waitFor();
    await expectGoodPage(page);
    await page.unroute(address);
    await page.unroute(`${address}/events*`);
    await page.goto(finished);
    await marks().first().waitFor();
  });

  it("tells once, on any page and in any number of tabs, that a search has ended of which that was wished", async () => {
    const id = finished.split("/").at(-1) ?? "";
    const address = `${url}/api/v1/searches/${id}`;
    const search = await (await fetch(address)).json();
    const context = page.context();
    // What is shown is written down where all tabs can read it, instead of on somebody's screen.
    await context.addInitScript(`window.Notification = class {
      static permission = "granted";
      constructor(heading, { tag }) { localStorage.told = (localStorage.told ?? "") + heading + " " + tag + ";"; }
      close() {}
    }`);
    await context.route(address, (route) =>
      route.fulfill({ json: { ...search, state: "running", finished_at: null } }),
    );
    await context.route(`${address}/events*`, (route) => route.abort());
    await page.goto(finished);
    const other = await context.newPage();
    await other.goto("/datasets");
    await page.getByLabel("Notify me when it ends").check();
    await expectGoodPage(page);
    await page.goto("/models");
    await heading("Models").waitFor();
    await page.goto(finished);
    expect(await page.getByLabel("Notify me when it ends").isChecked()).toBe(true);
    await link("Models").click();
    await heading("Models").waitFor();
    const told = (): Promise<string | null> => page.evaluate("localStorage.told ?? null");
    expect(await told()).toBe(null);
    await context.unroute(address);
    await context.unroute(`${address}/events*`);
    await expect.poll(told, { timeout: 60_000 }).toBe(`Search succeeded ${id};`);
    // Long enough for the other tab to look as well, if it did.
    await new Promise((later) => setTimeout(later, 8_000));
    expect([await told(), await page.evaluate("localStorage.getItem('eagleeye.followed')")]).toEqual([
      `Search succeeded ${id};`,
      null,
    ]);
    await other.close();
    await page.goto(finished);
    await marks().first().waitFor();
  });

  it("sorts the table by any column", async () => {
    const table = page.getByRole("table", { name: "Candidates" });
    const headers = await table.locator("thead th").allInnerTexts();
    const place = headers.findIndex((header) => header.trim() === "MACs") + 1;
    expect(place).toBeGreaterThan(0);
    const macs = async (): Promise<number[]> => {
      const texts = await table.locator(`tbody tr td:nth-child(${place})`).allInnerTexts();
      return texts.map((text) => Number(text.replaceAll(",", "")));
    };
    await table.getByRole("button", { name: "MACs", exact: true }).click();
    expect(await macs()).toEqual((await macs()).toSorted((a, b) => a - b));
    await table.getByRole("button", { name: "MACs", exact: true }).click();
    expect(await macs()).toEqual((await macs()).toSorted((a, b) => b - a));
    await table.getByRole("button", { name: "Rank", exact: true }).click();
  });

  it("marks the reference, and shows what a filter leaves", async () => {
    const table = page.getByRole("table", { name: "Candidates" });
    expect(await table.getByText("reference", { exact: true }).count()).toBe(1);
    await field("Strategy").selectOption("uniform");
    expect(await marks().count()).toBe(1);
    expect(await table.locator("tbody tr").innerText()).toContain("uniform");
    await expectGoodPage(page);
    await field("Strategy").selectOption({ label: "All" });
  });

  it("can be explored by the keyboard", async () => {
    await page.locator("svg[role=listbox]").focus();
    await page.keyboard.press("Home");
    const first = await page.locator("svg[role=listbox]").getAttribute("aria-activedescendant");
    await page.keyboard.press("ArrowRight");
    const second = await page.locator("svg[role=listbox]").getAttribute("aria-activedescendant");
    expect(second).not.toBe(first);
    await page.keyboard.press("Enter");
    const chosen = page.locator("svg [role=option][aria-selected=true]");
    expect(await chosen.getAttribute("id")).toBe(second);
    const name = (await chosen.getAttribute("aria-label"))?.split(",")[0] ?? "";
    await page.getByRole("heading", { level: 2, name, exact: true }).waitFor();
    await expectGoodPage(page);
  });

  it("is done by the keyboard alone, from the form to the page of a candidate", async () => {
    const server = new Server(url);
    const { request } = await (await fetch(`${url}/api/v1/searches/${finished.split("/").at(-1)}`)).json();
    await page.goto(`/searches/new?model=${request.model_id}&dataset=${request.dataset_id}`);
    await field("Name").waitFor();
    await typeInto("Name", "By the keyboard alone");
    for (const strategy of ["sensitivity", "random"]) {
      await tabTo(page.locator(`input[name="strategies"][value="${strategy}"]`));
      await page.keyboard.press("Space");
    }
    await typeInto("Candidates", "2");
    await typeInto("Calibration images", "128");
    await typeInto("Scoring images", "256");
    await typeInto("Mean", "0.286");
    await typeInto("Deviation", "0.353");
    await tabTo(button("Start the search"));
    await page.keyboard.press("Enter");
    await heading("By the keyboard alone").waitFor();
    const id = new URL(page.url()).pathname.split("/").at(-1) ?? "";
    await page.getByText("Succeeded", { exact: true }).first().waitFor({ timeout: PATIENCE });

    const chart = page.locator("svg[role=listbox]");
    await tabTo(chart);
    for (const key of ["Home", "ArrowRight", "Enter"]) await page.keyboard.press(key);
    const active = await chart.getAttribute("aria-activedescendant");
    const label = await page.locator(`[id="${active}"][aria-selected=true]`).getAttribute("aria-label");
    const name = label?.split(",")[0] ?? "";
    await tabTo(page.getByRole("region", { name, exact: true }).getByRole("link", { name: "Open", exact: true }));
    await page.keyboard.press("Enter");
    await page.waitForURL(/\/candidates\//);
    await heading(name).waitFor();
    await server.remove("searches", id);
  });

  it("hands out the winner as ONNX, read back by the server", async () => {
    await page.goto(finished);
    await link("Download ONNX").waitFor({ timeout: PATIENCE });
    await page.getByText("read back: outputs").first().waitFor();
    const [download] = await Promise.all([page.waitForEvent("download"), link("Download ONNX").click()]);
    expect(download.suggestedFilename()).toMatch(/\.onnx$/);
    const file = await readFile(await download.path());
    // A model file begins with field 1, ir_version.
    expect(file[0]).toBe(0x08);
    expect(file.length).toBeGreaterThan(100_000);
    await link("Download TorchScript").waitFor({ timeout: PATIENCE });
    await link("Download safetensors").waitFor({ timeout: PATIENCE });
  });

  it("exports any other candidate on request", async () => {
    const rows = page.getByRole("table", { name: "Candidates" }).locator("tbody tr");
    await rows.last().getByRole("button").click();
    await button("Export as safetensors").click();
    await link("Download safetensors").waitFor({ timeout: PATIENCE });
    await expectGoodPage(page);
  });

  it("shows beside the choice of multiples what was measured with each of them", async () => {
    const server = new Server(url);
    const { request } = await (await fetch(`${url}/api/v1/searches/${finished.split("/").at(-1)}`)).json();
    const few = { candidates: 1, calibration_images: 64, scoring_images: 64, racing: false };
    const id = await server.search({ ...request, ...few, name: "With any count", round_to: 1 });
    await server.untilSearch(id, "succeeded", PATIENCE);
    await page.goto(`/searches/new?model=${request.model_id}&dataset=${request.dataset_id}`);
    await page.getByText("Advanced", { exact: true }).click();
    const rows = page.getByRole("table", { name: /^This model’s pruned networks/ }).locator("tbody tr");
    await rows.nth(1).waitFor();
    const text = await rows.allInnerTexts();
    expect(text).toEqual([
      expect.stringMatching(/^Multiples of 8 where groups allow it\t(4\d|5[01])\.\d%\t[\d.]+\sms\t/),
      expect.stringMatching(/^Any count\t(4\d|5[01])\.\d%\t[\d.]+\sms\t.* as fast\tWith any count$/),
    ]);
    await expectGoodPage(page);
    await server.remove("searches", id);
  });

  it("does not delete what is in use, and says by what", async () => {
    await link("Models").click();
    await link("MobileNetV1 on Fashion-MNIST").click();
    await heading("MobileNetV1 on Fashion-MNIST").waitFor();
    await button("Delete").click();
    await button("Delete the model").click();
    await alert().getByText("In use").waitFor();
    const search = alert().getByRole("link", { name: "MobileNetV1 on Fashion-MNIST at 50% of MACs", exact: true });
    await search.waitFor();
    expect(await search.getAttribute("href")).toBe(new URL(finished).pathname);
    await expectGoodPage(page);
    await button("Keep it").click();
  });

  it("pauses a search, cancels it, takes it up again and deletes it", async () => {
    await link("Start a search").click();
    await choosePreset("fashion_mnist");
    await field("Name").fill("To be cancelled");
    await field("Candidates").fill("2000");
    await field("Calibration images").fill("256");
    await field("Scoring images").fill("500");
    await button("Start the search").click();
    await heading("To be cancelled").waitFor();
    await marks().first().waitFor({ timeout: PATIENCE });
    await button("Pause").click();
    await page.getByText("Paused", { exact: true }).first().waitFor({ timeout: 10_000 });
    await page.getByText(/^Paused\. Candidates: \d+ of/).waitFor();
    await expectGoodEverywhere(page, "search-paused");

    const before = await marks().count();
    await link("EagleEye").click();
    const paused = page.getByRole("table", { name: "Waiting and paused jobs" }).getByRole("row", { name: /Paused/ });
    await paused.getByRole("button", { name: "Resume To be cancelled" }).click();
    await paused.waitFor({ state: "detached" });
    await link("Searches").click();
    await link("To be cancelled").click();
    await page.getByText("Running", { exact: true }).waitFor({ timeout: PATIENCE });
    await marks().nth(before).waitFor({ timeout: PATIENCE });
    await button("Cancel").click();
    await page.getByText("Cancelled", { exact: true }).first().waitFor({ timeout: 10_000 });

    const later = await marks().count();
    await button("Resume").click();
    await page.getByText("Running", { exact: true }).waitFor({ timeout: PATIENCE });
    expect(await page.getByText("Ended before it").count()).toBe(0);
    await marks().nth(later).waitFor({ timeout: PATIENCE });
    await button("Cancel").click();
    await page.getByText("Cancelled", { exact: true }).first().waitFor({ timeout: 10_000 });
    await expectGoodEverywhere(page, "search-cancelled");

    await link("Searches").click();
    await page.getByRole("table", { name: "Searches" }).getByText("Cancelled", { exact: true }).waitFor();
    await expectGoodPage(page, "searches");
    await link("To be cancelled").click();
    await button("Delete").click();
    await button("Delete the search").click();
    await heading("Searches").waitFor();
    await page.getByRole("table", { name: "Searches" }).getByText("Succeeded", { exact: true }).first().waitFor();
    expect(await link("To be cancelled").count()).toBe(0);
  });

  it("does not call a search with a wrong preprocessing a success", async () => {
    await page.goto("/searches/new");
    await choosePreset("0_to_1");
    await field("Budget (percent of MACs)").fill("90");
    await field("Name").fill("With the wrong preprocessing");
    await drawAtRandom();
    await field("Candidates").fill("3");
    await field("Calibration images").fill("1000");
    await field("Scoring images").fill("1000");
    await button("Start the search").click();
    await page.getByText("Failed", { exact: true }).first().waitFor({ timeout: PATIENCE });
    expect(await alert().innerText()).toContain("preprocessing");
    expect(await marks().count()).toBe(4);
    expect(await fact("Best scored candidate, top-1").count(), "it has not won").toBe(1);
    await expectGoodPage(page, "search-in-doubt");
  });

  it("finds its pages again by their addresses", async () => {
    await page.goto("/searches/00000000-0000-7000-8000-000000000000");
    await alert().getByText("Not found").waitFor();
    await expectGoodPage(page);
    await page.goto("/nothing/here");
    await heading("Page not found").waitFor();
    await expectGoodEverywhere(page, "not-found");
    await link("overview").click();
    await page.getByRole("table", { name: "Searches" }).waitFor();
    await expectGoodPage(page);
    await page.goBack();
    await heading("Page not found").waitFor();
  });

  it("has broken no rule on the way", () => {
    expect(watched.faults).toEqual([]);
  });
});

const hasFocus = (element: Element): boolean => element === document.activeElement;
const imageWidth = (image: Element): number => (image as HTMLImageElement).naturalWidth;

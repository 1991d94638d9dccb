// Fine-tuning by hand: from a candidate to a tuned network as a file.
//
// Runs against the server at EAGLEEYE_URL, where it makes a small search of its own. The steps build on each other.

import type { Locator, Page } from "playwright-core";
import { afterAll, beforeAll, describe, expect, it } from "vitest";

import { expectGoodPage, expectParam, field as fieldOf, open, param, type Watched } from "./browser";
import { deleteModel, deleteSearch, search, untilSearch, uploadExample, url } from "./server";

/** A search and a tuning take as long as the machine needs. Milliseconds. */
const PATIENCE = 300_000;

let watched: Watched;
let page: Page;
let searched = "";

beforeAll(async () => {
  const { model, dataset } = await uploadExample("For fine-tuning", 3000);
  searched = await search({
    model_id: model,
    dataset_id: dataset,
    name: "To be fine-tuned",
    strategies: ["random"],
    budgets: [{ macs: 0.5 }, { macs: 0.4 }],
    candidates: 1,
    seed: 7,
    // Few images, so that an epoch takes seconds; what is left over of them is trained on.
    calibration_images: 512,
    scoring_images: 800,
    test_images: 600,
    repaired: 1,
    preprocessing: { mean: [0.286], deviation: [0.353] },
  });
  await untilSearch(searched, "succeeded", PATIENCE);
  watched = await open(url, 1);
  ({ page } = watched);
  page.setDefaultTimeout(30_000);
  await page.goto(`/searches/${searched}`);
}, PATIENCE);
afterAll(async () => {
  await watched?.browser.close();
  // Other tests count searches.
  if (searched) await deleteSearch(searched);
});

const button = (name: string): Locator => page.getByRole("button", { name, exact: true });
const link = (name: string | RegExp): Locator => page.getByRole("link", { name, exact: true });
const heading = (name: string | RegExp): Locator => page.getByRole("heading", { level: 1, name });
const field = (label: string): Locator => fieldOf(page, label);
const fact = (name: string): Locator =>
  page.locator("dl div", { has: page.getByText(name, { exact: true }) }).locator("dd");
const epochs = (): Locator => page.getByRole("table", { name: "Epochs" }).locator("tbody tr");
const state = (name: string): Locator => page.getByText(name, { exact: true });

describe.sequential("fine-tuning", () => {
  it("starts from a candidate, with a form that says what is wrong with it", async () => {
    const winners = page.getByRole("table", { name: "The best candidate of each budget" });
    await winners
      .getByRole("link", { name: /^Fine-tune candidate/ })
      .nth(1)
      .waitFor();
    // Reading goes on at the heading, however late its page is loaded.
    await page.route(/NewTuningPage.*\.(js|css)$/, async (route) => {
      await new Promise((later) => setTimeout(later, route.request().url().endsWith("css") ? 1_000 : 200));
      await route.continue();
    });
    await link("Fine-tune").click();
    await heading(/Fine-tune candidate \d/).waitFor();
    expect(await page.evaluate("document.activeElement.tagName")).toBe("H1");
    await expectGoodPage(page);

    await field("Epochs").fill("");
    await button("Start fine-tuning").click();
    await page.getByText("Enter a number of epochs, or a time limit.").waitFor();
    expect(await page.evaluate("document.activeElement.name")).toBe("epochs");
    await field("Epochs").fill("0");
    await page.getByText("From 1 to 10,000.").waitFor();
    await field("Epochs").fill("3");

    await page.getByText("More options").click();
    expect(await field("Temperature").count()).toBe(0);
    await field("Learn from the full network").check();
    await field("Temperature").fill("0");
    await page.getByText("Above 0 and at most 100.").waitFor();
    await expectGoodPage(page, "new-tuning");
    await field("Learn from the full network").uncheck();
    await field("Optimizer").selectOption("adamw");
    expect(await field("Momentum").count()).toBe(0);
    await field("Optimizer").selectOption("sgd");
    await field("Micro-batch size").fill("256");
    await button("Start fine-tuning").click();
    await page.getByText("Must be at most “Batch size”").waitFor();
    expect(await page.evaluate("document.activeElement.name")).toBe("micro_batch");
    await expectGoodPage(page);
    await field("Micro-batch size").fill("64");
    await page.getByText("Must be at most").waitFor({ state: "detached" });
    await button("Start fine-tuning").click();
    await heading(/Fine-tuning of candidate \d/).waitFor();
  });

  it("can be watched, epoch by epoch", async () => {
    await page.getByText(/^Epoch [123] of 3, step/).waitFor({ timeout: PATIENCE });
    await epochs().first().waitFor({ timeout: PATIENCE });
    expect(await epochs().count()).toBeLessThanOrEqual(3);
    await expectGoodPage(page);
  });

  it("ends with a better network, whose accuracies stand beside each other", async () => {
    await state("Succeeded").waitFor({ timeout: PATIENCE });
    expect(await epochs().count()).toBe(3);
    const [before, tuned, test] = await Promise.all(
      ["Before fine-tuning", "Fine-tuned", "On test images"].map(async (name) =>
        parseFloat(await fact(name).innerText()),
      ),
    );
    expect(tuned).toBeGreaterThan(before ?? 100);
    expect(test).toBeGreaterThan(80);
    expect(await fact("On test images").innerText()).toContain("±");
    const scores = page.getByRole("region", { name: "Scores of each network" }).locator("tbody tr");
    expect(await scores.locator("td:nth-child(2)").allInnerTexts()).toEqual([
      ...Array(3).fill("800 validation"),
      "600 test",
    ]);
    expect(await fact("Micro-batch size").innerText()).toBe("64");
    await expectGoodPage(page, "tuning");
  });

  it("has charts that are read and zoomed by the keyboard", async () => {
    const losses = page.getByRole("slider", { name: /^Loss by epoch/ });
    await losses.focus();
    await page.keyboard.press("Home");
    await page.getByText(/^Epoch 1: validation \d\.\d+, training \d\.\d+$/).waitFor();
    expect(await losses.getAttribute("aria-valuetext")).toMatch(/^Epoch 1: validation/);
    await page.keyboard.press("+");
    await expectParam(page, "epochs", "1~2");
    expect(await button("Reset zoom").count(), "of every chart of epochs").toBe(3);
    await expectGoodPage(page);
    await button("Reset zoom").first().click();
    await expectParam(page, "epochs", null);
  });

  it("shows how the weights have moved, after any epoch", async () => {
    await page.getByText("As a table").first().click();
    expect(await page.getByRole("table", { name: "Median change since the start" }).locator("tbody tr").count()).toBe(
      3,
    );
    await page.getByText("Change of each layer after epoch 3").click();
    const change = page.getByRole("region", { name: "Change of each layer" }).locator("tbody tr td.number").first();
    const last = await change.innerText();
    await page.getByRole("slider", { name: /^Epoch \d of 3$/ }).focus();
    await page.keyboard.press("Home");
    await page.getByLabel("Histogram of the filters’ norms before the first step").waitFor();
    await page.getByText("Nothing has moved yet.").waitFor();
    await page.keyboard.press("ArrowRight");
    await page.getByText("Change of each layer after epoch 1").waitFor();
    await expectParam(page, "epoch", "1");
    expect(await change.innerText()).not.toBe(last);
    expect(await page.getByLabel("Histogram of the filters’ norms after epoch 1").count()).toBe(1);
    await expectGoodPage(page);
  });

  it("hands out the tuned network as ONNX", async () => {
    await link("Download ONNX").waitFor({ timeout: PATIENCE });
    const [download] = await Promise.all([page.waitForEvent("download"), link("Download ONNX").click()]);
    expect(download.suggestedFilename()).toMatch(/\.onnx$/);
    await button("Model card of ONNX").click();
    const card = page.getByRole("region", { name: "Model card: ONNX, fine-tuned" });
    await card.getByText("It was trained further after pruning.").waitFor();
    await page.waitForURL(/card=/);
    await expectGoodPage(page);
    await card.getByRole("button", { name: "Close" }).click();
    await expectParam(page, "card", null);
  });

  it("leads back to its candidate, and to the search of that", async () => {
    const [candidate] = (await fact("Candidate").getByRole("link").allInnerTexts()) as [string];
    await link(candidate).first().click();
    await heading(candidate).waitFor();
    await page.goBack();
    await heading(/Fine-tuning of candidate/).waitFor();
  });

  it("makes a model of the tuned network, to be pruned further", async () => {
    const tuning = page.url();
    await button("Prune further, from ONNX").click();
    await page.waitForURL(/\/models\//);
    await heading(/For fine-tuning/).waitFor();
    const lineage = page.getByRole("region", { name: "Lineage" });
    await lineage.getByRole("link", { name: "To be fine-tuned", exact: true }).waitFor();
    await lineage.getByRole("link", { name: /^Fine-tuning of candidate \d+$/ }).waitFor();
    await expectGoodPage(page);
    await deleteModel(page.url().split("/").at(-1) ?? "");
    await page.goto(tuning);
    await heading(/Fine-tuning of candidate/).waitFor();
  });

  it("hands out the candidate repaired", async () => {
    await link(/To be fine-tuned/)
      .first()
      .click();
    const winners = page.getByRole("table", { name: "The best candidate of each budget" });
    await winners.getByRole("columnheader", { name: "Repaired", exact: true }).waitFor();
    await page.locator(".panel").getByRole("columnheader", { name: "Repaired", exact: true }).waitFor();
    await page.getByText("Repaired", { exact: true }).last().click();
    await button("Export as ONNX, repaired").click();
    await link("Download ONNX, repaired").waitFor({ timeout: PATIENCE });
    await expectGoodPage(page);
  });

  it("is cancelled, taken up again and deleted", async () => {
    await link(/^Fine-tune candidate/)
      .last()
      .click();
    await field("Epochs").fill("500");
    await page.goBack();
    await link(/^Fine-tune candidate/)
      .last()
      .waitFor();
    await page.goForward();
    await page.getByText("The form is as you left it.").waitFor();
    expect(await field("Epochs").inputValue()).toBe("500");
    await expectGoodPage(page);
    await page.getByText("More options").click();
    await field("Starts from").selectOption("repaired");
    await button("Start fine-tuning").click();
    await epochs().first().waitFor({ timeout: PATIENCE });
    await page.getByText(/min left|h left/).waitFor();

    await link(/^Candidate \d+$/)
      .first()
      .click();
    const curve = page.getByRole("slider", { name: /^Top-1 accuracy of the running fine-tuning/ });
    await curve.waitFor({ timeout: PATIENCE });
    expect(await curve.getAttribute("aria-valuetext")).toMatch(/^Epoch \d+: validation \d+\.\d\d%$/);
    await expectGoodPage(page);
    await link("Running fine-tuning").click();
    await heading(/Fine-tuning of candidate/).waitFor();
    await button("Pause").click();
    await state("Paused").waitFor({ timeout: 20_000 });
    await page.getByText(/^Paused\. Epoch/).waitFor();
    await button("Resume").click();
    await state("Running").waitFor({ timeout: PATIENCE });
    await button("Cancel").click();
    await state("Cancelled").waitFor({ timeout: 20_000 });
    await page.getByText("Snapshot on disk").waitFor();
    expect(await fact("Starts from").innerText()).toBe("Repaired weights");
    await expectGoodPage(page);

    const before = await epochs().count();
    await button("Resume").click();
    await state("Running").waitFor({ timeout: PATIENCE });
    await epochs().nth(before).waitFor({ timeout: PATIENCE });
    await button("Delete").click();
    await button("Delete the fine-tuning").click();
    await heading("To be fine-tuned").waitFor();
  });

  it("is listed with its result on the search's page", async () => {
    const rows = page.getByRole("table", { name: "Fine-tunings" }).locator("tbody tr");
    await rows.first().waitFor();
    expect(await rows.count()).toBe(1);
    expect(await rows.innerText()).toMatch(/Succeeded.*3 epochs.*%.*±/s);
    await page.getByRole("list", { name: "Fine-tunings of this candidate" }).getByText("on test images").waitFor();
    await expectGoodPage(page);
    await rows.getByRole("link").click();
    await heading(/Fine-tuning of candidate/).waitFor();
  });

  it("runs several candidates in a race, of which one wins", async () => {
    await page.goto(`/searches/${searched}?pace=time`);
    await page.getByText("Tune several").click();
    await page.getByRole("spinbutton", { name: "Candidates" }).fill("2");
    await field("Epochs in total").fill("2");
    await page.getByText("A whole number from 3 to 10,000.").waitFor();
    await field("Epochs in total").fill("4");
    await button("Start the race").click();
    const race = page.getByRole("article", { name: /^Race of/ });
    await race.getByText("Succeeded", { exact: true }).first().waitFor({ timeout: PATIENCE });
    expect(await race.locator("tbody tr").allInnerTexts()).toEqual([
      expect.stringMatching(/Candidate \d+\s+Has won.*\d\d\.\d\d%/s),
      expect.stringMatching(/Candidate \d+\s+Out after 1 epoch.*\d\d\.\d\d%/s),
    ]);
    await expectGoodPage(page);
    await race.getByRole("button", { name: "Delete" }).click();
    await button("Delete the race").click();
    await race.waitFor({ state: "detached" });
    expect(param(page, "pace"), "the page stays as it was").toBe("time");
  });

  it("is done from several seeds in a study, which says what each evaluation predicts", async () => {
    await page.goto(`/searches/${searched}`);
    await page.getByText("Study the evaluations").click();
    await field("Epochs").last().fill("1");
    await field("Seeds").fill("1, 1");
    await page.getByText("Each seed once.").waitFor();
    await field("Seeds").fill("1");
    await page.getByText("4 fine-tunings", { exact: true }).waitFor();
    await expectGoodPage(page);
    await button("Start the study").click();
    await heading(/^Study of/).waitFor();
    expect(await page.evaluate("document.activeElement.tagName")).toBe("H1");
    await page.getByText("Fine-tunes 4 candidates, 1 seed, 1 epoch.").waitFor();
    await state("Succeeded").first().waitFor({ timeout: PATIENCE });
    expect((await page.reload())?.status(), "by its address").toBe(200);
    const budget = page.getByRole("region", { name: "50% of the MACs", exact: true });
    await budget.getByText("This decides nothing").first().waitFor();
    const ranking = "Adaptive BN, top-1 (512 calibration, 800 scoring images)";
    expect(await budget.getByRole("rowheader", { name: ranking, exact: true }).count()).toBe(1);
    expect(
      await budget.getByRole("option", { name: /^Candidate \d+, uniform: .*fine-tuned \d+\.\d\d%$/ }).count(),
    ).toBe(1);
    await fieldOf(page, "Figure of").first().selectOption({ label: "Parameters" });
    await budget.getByRole("listbox", { name: /by parameters/ }).waitFor();
    await expectGoodPage(page, "study");
    const [download] = await Promise.all([page.waitForEvent("download"), link("Report as Markdown").click()]);
    expect(download.suggestedFilename()).toBe("study.md");

    const study = page.url();
    await page.goto(`/compare?searches=${searched}`);
    await page.getByRole("region", { name: "What evaluations predict" }).waitFor();
    await budget.getByText("This decides nothing").first().waitFor();
    await expectGoodPage(page);
    await page.goto(study);
    await button("Delete").click();
    await button("Delete the study").click();
    await heading("To be fine-tuned").waitFor();
  });

  it("is not found where there is none", async () => {
    await page.goto("/tunings/00000000-0000-7000-8000-000000000000");
    await page.getByRole("alert").getByText("Not found").waitFor();
    await expectGoodPage(page);
    await page.goto("/tunings/new");
    await page.getByText("Choose a candidate").waitFor();
    await expectGoodPage(page);
  });

  it("has broken no rule on the way", () => {
    expect(watched.faults).toEqual([]);
  });
});

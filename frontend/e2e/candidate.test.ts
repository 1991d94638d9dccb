// A candidate's page, and the list of searches with what they have come to.
//
// Runs against the server at EAGLEEYE_URL, where it makes a tiny search of its own. The steps build on each other.

import type { Locator, Page } from "playwright-core";
import { afterAll, beforeAll, describe, expect, it } from "vitest";

import { expectGoodPage, expectParam, open, type Watched } from "./browser";
import { deleteDataset, deleteModel, deleteSearch, search, untilSearch, uploadExample, url } from "./server";

/** A search takes as long as the machine needs. Milliseconds. */
const PATIENCE = 300_000;

const NAME = "To be looked at closely";

let watched: Watched;
let page: Page;
let made: { model: string; dataset: string } | undefined;
let searched = "";
let best = "";
/** A model that is made of a file on the way. */
let further = "";

beforeAll(async () => {
  made = await uploadExample(NAME, 1000);
  searched = await search({
    model_id: made.model,
    dataset_id: made.dataset,
    name: NAME,
    strategies: ["random"],
    budgets: [{ macs: 0.5 }],
    candidates: 1,
    seed: 7,
    calibration_images: 128,
    scoring_images: 256,
    test_images: 128,
    preprocessing: { mean: [0.286], deviation: [0.353] },
  });
  await untilSearch(searched, "succeeded", PATIENCE);
  best = (await (await fetch(`${url}/api/v1/searches/${searched}`)).json()).best_candidate_id;
  watched = await open(url, 1);
  ({ page } = watched);
  page.setDefaultTimeout(30_000);
}, PATIENCE);
afterAll(async () => {
  await watched?.browser.close();
  // Other tests count what there is.
  if (further) await deleteModel(further);
  if (searched) await deleteSearch(searched);
  if (made) await deleteModel(made.model);
  if (made) await deleteDataset(made.dataset);
});

const heading = (name: string | RegExp): Locator => page.getByRole("heading", { level: 1, name });
const table = (name: string): Locator => page.getByRole("table", { name, exact: true });
const row = (of: string, name: RegExp): Locator =>
  table(of).locator("tbody tr", { has: page.getByRole("rowheader", { name }) });
const region = (name: string): Locator => page.getByRole("region", { name, exact: true });
const saved = async (button: Locator): Promise<string> => {
  const [download] = await Promise.all([page.waitForEvent("download"), button.click()]);
  return download.suggestedFilename();
};

describe.sequential("a candidate", () => {
  it("stands beside the full network", async () => {
    expect((await page.goto(`/candidates/${best}`))?.status(), "by its address").toBe(200);
    await heading(/^Candidate \d/).waitFor();
    await page.getByText("Best of its budget").waitFor();
    const accuracy = "Accuracy of the full network and of the candidate";
    expect(await row(accuracy, /^Full network/).count(), "scoring and test images").toBe(2);
    expect(
      await row(accuracy, /^Adaptive BN/)
        .first()
        .innerText(),
    ).toMatch(/\d%.*−?\d+\.\d\d.*% to .*256 scoring/s);
    const costs = "Costs of the full network and of the candidate";
    expect(await row(costs, /^MACs/).innerText()).toMatch(/(49|50)\.\d%.*−(49|50|51)\.\d%/s);
    await expectGoodPage(page);
    expect(await saved(page.getByRole("group", { name: /, costs$/ }).getByRole("button", { name: "CSV" }))).toMatch(
      /^to-be-looked-at-closely-candidate-\d+-costs\.csv$/,
    );
  });

  it("shows where its MACs were saved, group by group", async () => {
    await page.getByText(/the layers add up to the candidate’s [\d,]+ MACs/).waitFor();
    const chart = page.getByRole("listbox", { name: /^Channel groups/ });
    await chart.focus();
    await page.keyboard.press("ArrowRight");
    await page.keyboard.press("Enter");
    await expectAddress(/[?&]group=/);
    const picked = table("Channel groups of the candidate").locator("tr.selected");
    expect(await picked.count()).toBe(1);
    const name = await picked.getByRole("button").innerText();
    await page.reload();
    await picked.waitFor();
    expect(await picked.getByRole("button").innerText(), "after loading again").toBe(name);
    const save = page.getByRole("group", { name: /, groups$/ });
    expect(await saved(save.getByRole("button", { name: "SVG" }))).toMatch(/-groups\.svg$/);
    expect(await saved(save.getByRole("button", { name: "PNG" }))).toMatch(/-groups\.png$/);
    await page.getByText("Layer by layer").click();
    await expectGoodPage(page);
    await chart.focus();
    await page.keyboard.press("Escape");
    await expectParam(page, "group", null);
  });

  it("has files with their hashes and a model card", async () => {
    await page.getByRole("link", { name: "Download ONNX", exact: true }).waitFor({ timeout: PATIENCE });
    expect(await region("Download").getByText("SHA-256").first().innerText()).toMatch(/^SHA-256 [0-9a-f]{64}$/);
    await page.getByRole("button", { name: "Model card of ONNX", exact: true }).click();
    const card = region("Model card: ONNX, adaptive BN");
    await card.getByText(/of the MACs of To be looked at closely/).waitFor();
    await page.waitForURL(/card=/);
    await card.getByText("eagleeye-worker search").waitFor();
    await expectGoodPage(page);
    expect(await saved(card.getByRole("link", { name: "card.md" }))).toMatch(/\.md$/);
    await card.getByRole("button", { name: "Close" }).click();
    await expectParam(page, "card", null);
  });

  it("can be followed from the upload to a model of a file, and back", async () => {
    const lineage = region("Lineage");
    expect(await lineage.getByRole("link", { name: NAME }).count(), "the model and the search").toBe(2);
    await page.getByRole("button", { name: "Prune further, from ONNX" }).click();
    await page.waitForURL(/\/models\//, { timeout: PATIENCE });
    further = page.url().split("/").at(-1) ?? "";
    await page.goto(`/candidates/${best}`);
    await lineage.locator(`a[href="/models/${further}"]`).waitFor();
    await expectGoodPage(page, "candidate");
    await lineage.locator(`a[href="/searches/${searched}"]`).click();
    await page.waitForURL(`**/searches/${searched}`);
  });

  it("is added to the comparison that this tab had last", async () => {
    await page.goto(`/candidates/${best}`);
    await page.getByRole("link", { name: "Add to comparison", exact: true }).click();
    await page.getByRole("heading", { level: 1, name: "Compare" }).waitFor();
    await page.getByText("1 candidate.").waitFor();
    await expectParam(page, "candidates", best);
    await page.goto(`/searches/${searched}`);
    const rows = table("Candidates").locator("tbody tr");
    await rows.last().getByRole("button").click();
    await page.getByRole("link", { name: "Add to comparison", exact: true }).click();
    await page.getByText("2 candidates.").waitFor();
    expect(new URL(page.url()).searchParams.get("candidates")?.split(",")[0]).toBe(best);
  });

  it("is not found where there is none", async () => {
    await page.goto("/candidates/00000000-0000-7000-8000-000000000000");
    await page.getByRole("alert").getByText("Not found").waitFor();
    await expectGoodPage(page);
  });
});

describe.sequential("the list of searches", () => {
  const own = (): Locator => table("Searches").locator("tbody tr", { hasText: NAME });

  it("shows what each has come to", async () => {
    await page.goto("/searches");
    await own()
      .getByText(/\d\d?\.\d\d%\s±/)
      .waitFor();
    expect(await own().innerText()).toMatch(/Succeeded.*50% of MACs.*%/s);
    await expectGoodPage(page);
  });

  it("is filtered and sorted, which its address says", async () => {
    await page.getByLabel("Words").fill("looked closely");
    await page.getByText(/^1 of \d+ search/).waitFor();
    await page.getByRole("columnheader", { name: "Top-1" }).getByRole("button").click();
    await expectAddress(/words=looked\+closely&sort=top1/);
    await page.reload();
    await own().waitFor();
    expect(await table("Searches").locator("tbody tr").count()).toBe(1);
    expect(await page.getByRole("columnheader", { name: "Top-1" }).getAttribute("aria-sort")).toBe("descending");
    expect(await saved(page.getByRole("group", { name: "Save Searches" }).getByRole("button", { name: "CSV" }))).toBe(
      "searches.csv",
    );
  });

  it("picks searches to be compared", async () => {
    const compare = page.getByRole("button", { name: "Compare", exact: true });
    await own().getByRole("checkbox").check();
    await expectAddress(new RegExp(`picked=${searched}`));
    expect(await compare.isDisabled(), "one alone").toBe(true);
    await page.getByLabel("Words").fill("nothing is called so");
    await page.getByText("No search is like that.").waitFor();
    await page.getByText("1 picked, 1 not shown").waitFor();
    await expectGoodPage(page);
    await page.getByRole("button", { name: "Clear the filter" }).click();
    await own().waitFor();
  });

  it("has broken no rule on the way", () => {
    expect(watched.faults).toEqual([]);
  });
});

async function expectAddress(pattern: RegExp): Promise<void> {
  await page.waitForURL(pattern);
}

// The form of a new search: the check of the full network, presets, and how it looks at every width.
//
// Runs against the server at EAGLEEYE_URL, to which it uploads what it needs.

import { readFile } from "node:fs/promises";

import type { Locator, Page, Request } from "playwright-core";
import { afterAll, beforeAll, describe, expect, it } from "vitest";

import { DESKTOP, expectGoodPage, expectParam, field as fieldOf, open, type Watched } from "./browser";
import {
  cancelSearch,
  deleteDataset,
  deleteModel,
  deleteSearch,
  search,
  untilSearch,
  uploadExample,
  url,
} from "./server";

/** A check takes seconds, and longer on a busy machine. */
const PATIENCE = 120_000;

let watched: Watched;
let page: Page;
let model = "";
let dataset = "";

beforeAll(async () => {
  ({ model, dataset } = await uploadExample("For the form"));
  watched = await open(url, 1);
  ({ page } = watched);
  page.setDefaultTimeout(30_000);
  await page.goto(`/searches/new?model=${model}&dataset=${dataset}`);
});
afterAll(async () => {
  await watched?.browser.close();
  if (model) await Promise.all([deleteModel(model), deleteDataset(dataset)]);
});

const button = (name: string): Locator => page.getByRole("button", { name, exact: true });
const field = (label: string): Locator => fieldOf(page, label);
const check = (): Locator => page.getByRole("region", { name: "Check of the full network" });
const sum = (texts: string[]): number => texts.reduce((total, text) => total + Number(text), 0);

describe.sequential("the form of a search", () => {
  it("checks the full network by itself, and says what is wrong with its preprocessing", async () => {
    await field("Preset").selectOption("0_to_1");
    await page.getByText("1 warning:").waitFor({ timeout: PATIENCE });
    const found = await check().innerText();
    expect(found).toContain("Another preset fits better");
    expect(found).not.toContain("other_preset_fits");
    expect(await check().getByRole("status").first().innerText()).toMatch(/classifies [12]\d\.\d% of 512 images/);
    const answers = page.getByRole("table", { name: "How often the full network answers each class" });
    expect(await answers.locator("tbody tr").count()).toBe(10);
    expect(sum(await answers.locator("tbody td:nth-child(3)").allInnerTexts())).toBe(512);
    expect(await page.locator(".notice").innerText()).toContain("another preset fits better");
    await expectGoodPage(page);
  });

  it("takes over the values of the preset that fits best", async () => {
    await page.getByText("All presets compared").click();
    expect(await page.getByRole("region", { name: "Accuracy by preset" }).innerText()).toContain("your values");
    await check().getByRole("button", { name: "Use fashion_mnist" }).first().click();
    await check().getByText("No warnings.").waitFor({ timeout: PATIENCE });
    expect([await field("Mean").inputValue(), await field("Preset").inputValue()]).toEqual(["0.286", "fashion_mnist"]);
    const accuracy = check().locator("dl div", { hasText: "Full network, top-1" }).locator("dd");
    expect(parseFloat(await accuracy.innerText())).toBeGreaterThan(90);
    expect(await page.getByText("1 warning:").count()).toBe(0);
    await expectGoodPage(page, "new-search");
  });

  it("asks again only where the answer can change, or by hand", async () => {
    const asked: Request[] = [];
    page.on("request", (request) => void (request.url().endsWith("/searches/check") && asked.push(request)));
    await field("Candidates").fill("9");
    await field("Name").fill("Any name");
    await page.waitForTimeout(6000);
    expect(asked.length).toBe(0);
    await button("Check again").click();
    await field("Seed").fill("3");
    await button("Check again").waitFor({ timeout: PATIENCE });
    expect(asked.map((request) => request.failure() !== null)).toEqual([true, false]);

    await field("Deviation").fill("");
    await check().getByText("The check starts when").waitFor();
    expect(await button("Check").isDisabled()).toBe(true);
    expect(await field("Preset").inputValue()).toBe("");
    await field("Preset").selectOption("fashion_mnist");
  });

  it("takes the classes in the model's order, and says what of it is wrong", async () => {
    await field("Class order").fill("1, 0");
    await page.getByRole("alert").getByText("lacks the dataset's class").waitFor({ timeout: PATIENCE });
    await expectGoodPage(page);
    await field("Class order").fill("0, 1, 2, 3, 4, 5, 6, 7, 8, 9");
    await page.getByRole("alert").waitFor({ state: "detached" });
    await check().getByText("No warnings.").waitFor({ timeout: PATIENCE });
  });

  it("shows why there is no answer, and still lets the search start", async () => {
    await page.route("**/searches/check", (route) => route.abort());
    await field("Seed").fill("4");
    await page.getByRole("alert").getByText("No response from the server").waitFor();
    expect(await button("Start the search").isEnabled()).toBe(true);
    await page.unroute("**/searches/check");
    await button("Check again").click();
    await page.getByRole("alert").waitFor({ state: "detached", timeout: PATIENCE });
  });

  it("takes several budgets, each with several limits", async () => {
    await page.getByRole("button", { name: "Limit something else, too" }).click();
    expect(await page.evaluate("document.activeElement.name")).toBe("parameters");
    await page.keyboard.type("60");
    await button("Add another budget").click();
    expect(await field("Budget 2 (percent of MACs)").inputValue()).toBe("35");
    await field("Budget 2: percent of what").selectOption("bytes");
    await field("Budget 2 (percent of bytes)").fill("40");
    await page.getByText(": 18 in all at most").waitFor();
    await expectGoodPage(page);
  });

  it("leaves groups alone that are chosen in the table of groups, and keeps a part of others", async () => {
    const table = page.getByRole("region", { name: "Channel groups" });
    expect(await table.count()).toBe(0);
    await page.getByText("Channel groups to leave alone").click();
    await field("Find groups").fill("features.1.");
    await field("Leave features.1.1.0 alone").check();
    await field("Find groups").fill("");
    await field("Keep at least this percentage of features.12.1.0").fill("33");
    await table.getByText("≥ 169 of 512").waitFor();
    const [file] = await Promise.all([
      page.waitForEvent("download"),
      page
        .getByRole("group", { name: /limits of channel groups$/ })
        .getByRole("button", { name: "CSV" })
        .click(),
    ]);
    const lines = (await readFile(await file.path(), "utf8")).split("\r\n");
    expect(lines).toContain("features.12.1.0,512,33,169");
    expect(lines.filter((line) => line.startsWith("features.1.1.0,"))).toEqual([
      expect.stringMatching(/^features\.1\.1\.0,(\d+),100,\1$/),
    ]);
    await page.getByText("1 group left alone, 1 kept in part").waitFor();
    await expectGoodPage(page);

    // In the drawing of the network, what the table says is seen, and the other way round.
    await page.getByLabel("Network", { exact: true }).check();
    const graph = page.getByRole("listbox", { name: /^Nodes of the network/ });
    await graph.focus();
    await page.keyboard.press("Home");
    await page.keyboard.press("ArrowDown");
    const node = page.getByRole("region", { name: "Channel groups of the selected node" });
    await node.getByLabel("Leave it alone").check();
    await page.getByText("2 groups left alone, 1 kept in part").waitFor();
    await graph
      .getByRole("option", { name: /left alone/ })
      .first()
      .waitFor();
    const [drawing] = await Promise.all([
      page.waitForEvent("download"),
      page
        .getByRole("group", { name: /network with limits$/ })
        .getByRole("button", { name: "SVG" })
        .click(),
    ]);
    expect(await readFile(await drawing.path(), "utf8")).toContain("left alone");
    await expectGoodPage(page);
    await node.getByLabel("Leave it alone").uncheck();
    await page.getByLabel("Table", { exact: true }).check();
    await page.getByText("1 group left alone, 1 kept in part").waitFor();

    await field("By pattern").fill("no_such_group");
    await button("Start the search").click();
    await page.getByText("no channel group and no layer is called").waitFor();
    await field("By pattern").fill("features.13.*=50%");
    await page.getByText("1 group left alone, 2 kept in part").waitFor();
    await button("Start the search").click();
    await page.getByText("features.1.1.0, features.12.1.0=33%, features.13.*=50%").waitFor();
    await page.getByText("0, 1, 2, 3, 4, 5, 6, 7, 8, 9", { exact: true }).waitFor();
    await page.getByText("50% of MACs and 60% of parameters; 40% of bytes", { exact: true }).waitFor();
    const search = page.url().split("/").at(-1) ?? "";
    await cancelSearch(search);
    await untilSearch(search, "cancelled", PATIENCE);
    await deleteSearch(search);
    await page.goto("/searches/new");
  });

  it("lines fields up and cuts no choice, from a phone to a wide screen", async () => {
    await page.getByText("Advanced").click();
    for (const width of [360, 400, 768, 1024, 1440, 2560]) {
      await page.setViewportSize({ width, height: 900 });
      expect(await page.evaluate<string[]>(CUT_CHOICES), `at ${width} px`).toEqual([]);
      expect(await page.evaluate<string[]>(UNEVEN_FIELDS), `at ${width} px`).toEqual([]);
    }
    await page.setViewportSize(DESKTOP);
  });

  it("survives a reload and leaving the page, and goes on where it was left", async () => {
    await page.goto(`/searches/new?model=${model}&dataset=${dataset}`);
    await field("Preset").selectOption("fashion_mnist");
    await field("Name").fill('It\'s "quoted", Ünïcode 网络');
    await field("Candidates").fill("");
    await field("Seed").fill("1.5");
    await page.getByText("Enter a whole number.").waitFor();
    await page.reload();
    await page.getByText("The form is as you left it.").waitFor();
    expect([await field("Seed").inputValue(), await field("Candidates").inputValue()]).toEqual(["1.5", ""]);
    await page.getByRole("link", { name: "Models", exact: true }).click();
    await page.getByRole("heading", { level: 1, name: "Models" }).waitFor();
    await page.goBack();
    await field("Name").waitFor();
    expect(await field("Name").inputValue()).toBe('It\'s "quoted", Ünïcode 网络');
    expect(await field("Preset").inputValue()).toBe("fashion_mnist");
  });

  it("says what is wrong with numbers at their fields, and sends nothing", async () => {
    const sent: Request[] = [];
    const note = (request: Request): void => void (request.url().endsWith("/searches") && sent.push(request));
    page.on("request", note);
    await page.getByText("Advanced", { exact: true }).click();
    await field("Batch size").fill("");
    await field("Batch size").pressSequentially("1e");
    await field("Test images").fill("99999999999");
    await button("Start the search").click();
    await page.getByText("Look again at the fields").waitFor();
    expect(await page.getByText("Enter a number.").count()).toBe(1);
    expect(await page.getByText("This is not a number.").count()).toBe(1);
    expect(await page.getByText("leave 1,900 of the dataset").count()).toBe(1);
    expect(await page.evaluate("document.activeElement.name")).toBe("candidates");
    expect(await page.getByRole("tab").count()).toBe(0);
    await expectGoodPage(page);
    expect(sent.filter((request) => request.method() === "POST")).toEqual([]);
    page.off("request", note);
    for (const [name, value] of [
      ["Batch size", "64"],
      ["Test images", ""],
      ["Candidates", "4"],
      ["Seed", "2"],
    ] as const)
      await field(name).fill(value);
    await page.getByText("Look again at the fields").waitFor({ state: "detached" });
  });

  it("shows what will happen, with a range of budgets and a front", async () => {
    const plan = page.getByRole("region", { name: "What will happen" });
    expect(await plan.innerText()).toContain("50% of MACs");
    await button("Add a range of budgets").click();
    expect(await page.evaluate("document.activeElement.name")).toBe("budget_range.from");
    await field("Number of budgets").fill("3");
    await field("To, percent").fill("0.5");
    await page.getByText("can be pruned to between").waitFor();
    await field("To, percent").fill("30");
    await page.getByText("70%, 50% and 30% of MACs").waitFor();
    await page.getByRole("button", { name: "Remove budget", exact: true }).click();
    expect(await plan.innerText()).toMatch(/12\s+at most, by 1 strategy/);
    await page.locator('input[name="strategies"][value="evolutionary"]').check();
    await page.locator('input[name="strategies"][value="sensitivity"]').uncheck();
    await field("Look for everything in between (Pareto front)").check();
    expect(await plan.innerText()).toMatch(/4\s+at most, by 1 strategy/);
    expect(await plan.innerText()).toContain("seeks the whole front");
    await expectGoodPage(page);
  });

  it("is copied as it would be sent", async () => {
    await page.context().grantPermissions(["clipboard-read", "clipboard-write"]);
    await page.getByRole("tab", { name: "curl" }).focus();
    await page.keyboard.press("ArrowRight");
    expect(await page.getByRole("tab", { selected: true }).innerText()).toBe("Python");
    await button("Copy").click();
    await page.getByText("Copied.").waitFor();
    const copied = await page.evaluate<string>("navigator.clipboard.readText()");
    expect(copied).toContain('"name": "It\'s \\"quoted\\", Ünïcode 网络",');
    await page.getByRole("tab", { name: "Command line" }).click();
    await expectParam(page, "as", "command");
    await page.getByText("--images IMAGES --labels LABELS --request request.json").waitFor();
    await page.reload();
    await page.getByText("--request request.json").waitFor();
    await expectGoodPage(page);
    await page.getByRole("button", { name: "Start afresh" }).click();
    await page.getByText("The form is as you left it.").waitFor({ state: "detached" });
    expect([await field("Name").inputValue(), await field("Candidates").inputValue()]).toEqual(["", "48"]);
  });

  it("takes over the settings of the paper, and says what was published", async () => {
    await field("Settings of the paper").selectOption("mobilenet_v1_50");
    await page.getByText("Published: MobileNetV1 pruned to 284").waitFor();
    await page.getByText("The paper calibrates on 12,800 images").waitFor();
    expect(
      await page
        .locator('input[name="strategies"]:checked')
        .evaluateAll((boxes) => boxes.map((box) => box.getAttribute("value"))),
    ).toEqual(["reference"]);
    await expectGoodPage(page);
  });

  it("begins with all that another search was asked for", async () => {
    const id = await search({
      ...{ model_id: model, dataset_id: dataset, name: "The one before", strategies: ["manual", "evolutionary"] },
      ...{
        manual: [{ groups: { "features.12.1.0": 256 } }],
        budget_range: { measure: "macs", from: 0.7, to: 0.3, steps: 3 },
      },
      ...{ front: true, candidates: 2, seed: 11, calibration_images: 300, scoring_images: 400, test_images: 10 },
      ...{ importance: { criterion: "fpgm", aggregate: "mean" }, vanilla_images: 0, min_keep_ratio: 0.05 },
      preprocessing: { mean: [0.286], deviation: [0.353] },
    });
    try {
      await page.goto(`/searches/new?from=${id}&as=command`);
      await page.getByText("Filled in from The one before, all but its name.").waitFor();
      const text = await page.getByRole("region", { name: "Command line: text" }).innerText();
      const made = JSON.parse(text.slice(text.indexOf("{"), text.lastIndexOf("}") + 1));
      const before = (await (await fetch(`${url}/api/v1/searches/${id}`)).json()).request;
      const { name: _name, round_to: _, ...wanted } = before;
      expect(made).toMatchObject(wanted);
      expect(await page.getByText("1 strategy written by hand is kept").count()).toBe(1);
      expect(await page.locator('input[name="strategies"][value="manual"]').isChecked()).toBe(true);
      await expectGoodPage(page);
      await field("Seed").fill("12");
      await page.reload();
      await page.getByText("Fill it in anew").waitFor();
      expect(await field("Seed").inputValue()).toBe("12");
      await page.goto("/searches/new");
      await field("Seed").waitFor();
      expect(await field("Seed").inputValue()).toBe("0");
    } finally {
      await deleteSearch(id);
    }
  });

  it("has broken no rule on the way", () => {
    expect(watched.faults).toEqual([]);
  });
});

/** Choices of selects that are wider than their select; the arrow takes some of its width. */
const CUT_CHOICES = `
  [...document.querySelectorAll("select:not([name$=_id])")].flatMap((select) => {
    const context = document.createElement("canvas").getContext("2d");
    const style = getComputedStyle(select);
    context.font = style.font;
    const room = select.clientWidth - parseFloat(style.paddingLeft) - parseFloat(style.paddingRight) - 20;
    return [...select.options].map((option) => option.text).filter((text) => context.measureText(text).width > room);
  })`;

/** Fields beside each other whose inputs stand at different heights. */
const UNEVEN_FIELDS = `
  [...document.querySelectorAll(".fields")].flatMap((fields) => {
    const inputs = [...fields.querySelectorAll(".field")].map((field) => ({
      label: field.querySelector("label").textContent,
      row: field.getBoundingClientRect().top,
      top: field.querySelector("input, select").getBoundingClientRect().top,
    }));
    return inputs
      .filter((one) => inputs.some((other) => Math.abs(one.row - other.row) < 1 && Math.abs(one.top - other.top) > 1))
      .map(({ label }) => label);
  })`;

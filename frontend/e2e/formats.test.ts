// The files that people have: a network in two parts, NPZ, an archive of pictures, and ones that will not do.
//
// Runs against the server at EAGLEEYE_URL. What is uploaded here is deleted in the end.

import { writeFile } from "node:fs/promises";
import { join } from "node:path";

import type { Locator, Page } from "playwright-core";
import { afterAll, beforeAll, describe, expect, it } from "vitest";

import { expectGoodPage, field as fieldOf, open, type Watched } from "./browser";
import { archive, npz } from "./files";
import { datasetRoot, deleteDataset, deleteModel, repository, url } from "./server";

const CLASSES = ["anchor", "bird of prey", "Ünïcode 网络"];

let watched: Watched;
let page: Page;
const made: { models: string[]; datasets: string[] } = { models: [], datasets: [] };

beforeAll(async () => {
  watched = await open(url, 1);
  ({ page } = watched);
  page.setDefaultTimeout(30_000);
});
afterAll(async () => {
  await watched?.browser.close();
  await Promise.all([...made.models.map(deleteModel), ...made.datasets.map(deleteDataset)]);
});

const button = (name: string): Locator => page.getByRole("button", { name, exact: true });
const heading = (name: string): Locator => page.getByRole("heading", { level: 1, name, exact: true });
const field = (label: string): Locator => fieldOf(page, label);
const refusal = (): Locator => page.getByRole("alert");
const fact = (name: string): Locator =>
  page.locator("dl div", { has: page.locator("dt", { hasText: name }) }).locator("dd");

/** Notes what was made, to be deleted, by the page that shows it. */
async function shown(collection: "models" | "datasets", name: string): Promise<void> {
  await heading(name).waitFor();
  await page.waitForURL(new RegExp(`/${collection}/[0-9a-f-]{36}$`));
  made[collection].push(page.url().split("/").at(-1) ?? "");
}

async function uploadDataset(name: string, buffer: Buffer): Promise<void> {
  await page.goto("/datasets");
  await page.getByLabel("NPZ, Parquet or archive").check();
  await field("File").setInputFiles({ name, mimeType: "application/octet-stream", buffer });
  await button("Upload dataset").click();
}

describe.sequential("a network in two parts", () => {
  it("is refused without its weights, by the name of what is missing", async () => {
    await page.goto("/models");
    await field("Model file").setInputFiles(repository("examples/two_parts.onnx"));
    await button("Upload model").click();
    await refusal().getByText("two_parts.onnx.data").waitFor();
    await expectGoodPage(page);
  });

  it("is one model with both", async () => {
    await field("External weights").setInputFiles(repository("examples/two_parts.onnx.data"));
    await button("Upload model").click();
    await shown("models", "two_parts");
    expect(await fact("Classes").innerText()).toBe("10");
    expect(await fact("Input").innerText()).toContain("1 × 1 × 28 × 28");
  });

  it("has its weights and statistics shown, tensor by tensor", async () => {
    const tensors = page.getByRole("table", { name: "Tensors" });
    const first = tensors.locator("tbody button").first();
    await first.focus();
    await page.keyboard.press("ArrowDown");
    await page.waitForURL(/tensor=/);
    const picked = await tensors.locator("[aria-pressed=true]").innerText();
    await page.getByRole("img", { name: `Histogram of the values of ${picked}` }).waitFor();
    await page.getByRole("region", { name: picked, exact: true }).getByText("As a table").click();
    await page.getByRole("table", { name: `Values of ${picked}` }).waitFor();
    await field("Find a tensor").fill("running_var");
    await page.getByText(/^\d tensors$/).waitFor();
    await page.reload();
    await page.getByText(/^\d tensors$/).waitFor();
    await expectGoodPage(page);
  });
});

describe.sequential("a dataset", () => {
  it("is an NPZ of images and labels", async () => {
    await uploadDataset("bands.npz", npz(4, 40));
    await shown("datasets", "bands");
    expect(await fact("Images").innerText()).toBe("40");
    expect(await fact("Classes").innerText()).toBe("4");
    await page.getByRole("img", { name: /^Sample 1, class / }).waitFor();
  });

  it("is an archive with a folder per class, whose names it keeps", async () => {
    await uploadDataset("pictures.tar.gz", archive(CLASSES, 12));
    await shown("datasets", "pictures");
    expect(await fact("Images").innerText()).toBe("36");
    for (const name of CLASSES) await page.locator("figcaption", { hasText: name }).first().waitFor();
    await expectGoodPage(page);
  });

  it("has no labels where it has no folders, and says so", async () => {
    await uploadDataset("flat.tar.gz", archive(["."], 3));
    await shown("datasets", "flat");
    await page.getByText("The images have no labels.").waitFor();
  });

  it("is not half of a file, nor a text", async () => {
    await uploadDataset("half.npz", npz(4, 40).subarray(0, 9000));
    await refusal().getByText("Unusable dataset").waitFor();
    await expectGoodPage(page);
    await uploadDataset("notes.zip", Buffer.from("To do: the images"));
    await refusal().getByText("Unusable dataset").waitFor();
  });
});

describe.skipIf(datasetRoot === undefined).sequential("a dataset on the server", () => {
  const root = datasetRoot ?? "";

  async function register(location: string): Promise<void> {
    await page.goto("/datasets");
    await field("Location").fill(location);
    await button("Register dataset").click();
  }

  it("is registered where it lies, and says where that is", async () => {
    const location = join(root, "lying.tar.gz");
    await writeFile(location, archive(CLASSES, 12));
    await register(location);
    await shown("datasets", "lying");
    expect(await fact("Location").innerText()).toBe(location);
    expect(await fact("Images").innerText()).toBe("36");
    await expectGoodPage(page);
  });

  it("must lie below a folder that the operator has allowed", async () => {
    await register("");
    await page.getByText("Enter where the dataset lies on the server.").waitFor();
    await register("/etc/hostname");
    await refusal().getByText("Unusable location").waitFor();
    await page.getByText("outside of the folders").waitFor();
    await expectGoodPage(page);
  });
});

describe("the files", () => {
  it("have broken no rule on the way", () => {
    expect(watched.faults).toEqual([]);
  });
});

// Uploads that go on while one goes elsewhere, files dropped on the page, lists that are searched, the graph of a network, and what a dataset holds.
//
// Runs against the server at EAGLEEYE_URL, to which it uploads what it needs. It queues no search.

import { mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";

import type { Locator, Page, Route } from "playwright-core";
import { afterAll, beforeAll, describe, expect, it } from "vitest";

import { residual } from "../src/lib/testNetworks";
import { expectGoodPage, expectParam, field as fieldOf, open, type Watched } from "./browser";
import { npz } from "./files";
import { deleteDataset, uploadExample, url } from "./server";

let watched: Watched;
let page: Page;
let model = "";
let dataset = "";

beforeAll(async () => {
  ({ model, dataset } = await uploadExample("For the library", 600));
  watched = await open(url, 1);
  ({ page } = watched);
  page.setDefaultTimeout(30_000);
});
afterAll(async () => {
  await watched?.browser.close();
});

const button = (name: string): Locator => page.getByRole("button", { name, exact: true });
const link = (name: string): Locator => page.getByRole("link", { name, exact: true });
const heading = (name: string): Locator => page.getByRole("heading", { level: 1, name });
const field = (label: string): Locator => fieldOf(page, label);
const panel = (): Locator => page.getByRole("complementary", { name: "Uploads" });
const elements = (): Promise<number> => page.evaluate<number>("document.querySelectorAll('*').length");

/** The name of the file in a field. */
const nameOfFile = (input: Node): string | undefined => (input as HTMLInputElement).files?.[0]?.name;

/** Drops a file somewhere on the page. */
const drop = (name: string, content: string): Promise<void> =>
  page.evaluate(
    ([name, content]) => {
      const dataTransfer = new DataTransfer();
      dataTransfer.items.add(new File([content], name));
      for (const type of ["dragenter", "drop"]) {
        document.body.dispatchEvent(new DragEvent(type, { dataTransfer, bubbles: true, cancelable: true }));
      }
    },
    [name, content] as const,
  );

describe.sequential("uploads", () => {
  /** What the server does with the next upload of a model. */
  let answer: (route: Route) => Promise<void>;
  let begun: (answered: () => void) => void = () => undefined;

  it("asks before it leaves any other page for what is dropped there", async () => {
    await page.goto(`/searches/new?model=${model}&dataset=${dataset}`);
    await field("Name").fill("Typed before");
    await drop("resnet.onnx", "\b\u0007");
    await page.getByText("looks like a model.").waitFor();
    await expectGoodPage(page);
    await button("Stay here").click();
    expect(await field("Name").inputValue()).toBe("Typed before");

    await page.goto("/");
    await heading("Prune a trained classifier").waitFor();
    await drop("anything.bin", "?");
    await page.getByText("may be a model or a dataset").waitFor();
    await button("Upload it as a dataset").click();
    await heading("Datasets").waitFor();
    expect(await field("File").evaluate(nameOfFile)).toBe("anything.bin");
  });

  it("offers a network that is dropped on the datasets page as a model", async () => {
    await page.goto("/datasets");
    await heading("Datasets").waitFor();
    await drop("resnet.onnx", "\b\u0007");
    await page.getByText("looks like a model").waitFor();
    await expectGoodPage(page, "datasets-drop");
    await button("Upload it as a model").click();
    await heading("Models").waitFor();
    expect(await field("Model file").evaluate(nameOfFile)).toBe("resnet.onnx");
    await field("External weights").waitFor();
    await drop("images-idx3-ubyte", "\0\0\b\u0003");
    await page.getByText("looks like a dataset").waitFor();
    await button("Stay here").click();
  });

  it("goes on with an upload while one goes elsewhere, and warns before it is ended", async () => {
    await page.route(`${url}/api/v1/models`, async (route) => {
      if (route.request().method() !== "POST") return route.continue();
      await new Promise<void>((answered) => begun(answered));
      await answer(route);
    });
    const release = new Promise<() => void>((resolve) => (begun = resolve));
    await button("Upload model").click();
    const fail = await release;
    await link("Datasets").click();
    await heading("Datasets").waitFor();
    await panel().getByText("resnet.onnx").waitFor();
    await expectGoodPage(page);

    const asked = page.waitForEvent("dialog");
    void page.evaluate("window.location.reload()").catch(() => undefined);
    const dialog = await asked;
    expect(dialog.type()).toBe("beforeunload");
    await dialog.dismiss();

    answer = (route) => route.abort();
    fail();
    await panel().getByText("No response from the server").waitFor();
    await expectGoodPage(page);
  });

  it("tries it again with the same file, and links to what it became", async () => {
    answer = (route) => route.fulfill({ status: 201, json: { id: model, name: "resnet" } });
    const release = new Promise<() => void>((resolve) => (begun = resolve));
    await button("Retry the upload of resnet.onnx").click();
    (await release)();
    await panel().getByRole("link", { name: "resnet", exact: true }).click();
    await heading("For the library").waitFor();
    await button("Dismiss the model resnet.onnx").click();
    expect(await panel().count()).toBe(0);
    await page.unroute(`${url}/api/v1/models`);
  });
});

describe.sequential("a large upload", () => {
  const SENT = 8 << 20;
  const content = new Uint8Array(npz(4, 22_000));
  let folder = "";
  let large = "";
  let unusable = "";
  let made = "";
  const parts = `${url}/api/v1/uploads/*`;

  // Files of the disk: when one was changed last is a part of how it is known again.
  beforeAll(async () => {
    folder = await mkdtemp(join(tmpdir(), "eagleeye-large-"));
    large = join(folder, "large.npz");
    unusable = join(folder, "large.onnx");
    await writeFile(large, content);
    await writeFile(unusable, Buffer.alloc(17 << 20, 1));
  });
  afterAll(async () => {
    await rm(folder, { recursive: true, force: true });
    if (made) await deleteDataset(made);
  });

  /** How many uploads are written down. */
  const notes = (tab = page): Promise<number> =>
    tab.evaluate<number>("Object.keys(localStorage).filter((key) => key.startsWith('tus::')).length");

  async function choose(): Promise<void> {
    await page.goto("/datasets");
    await page.getByLabel("NPZ, Parquet or archive").check();
    await field("File").setInputFiles(large);
    await button("Upload dataset").click();
  }

  /** Begins the upload, and leaves its page when some of it has arrived and something was done beside it; its address. */
  async function interrupt(besides: () => Promise<void> = async () => undefined): Promise<string> {
    const begun = new Promise<string>((resolve) => {
      // The page's own bytes never arrive; some of the file does.
      void page.route(parts, (route) => {
        if (route.request().method() === "PATCH") resolve(route.request().url());
        else void route.continue();
      });
    });
    await choose();
    const body = content.subarray(0, SENT);
    const headers = {
      "Tus-Resumable": "1.0.0",
      "Upload-Offset": "0",
      "Content-Type": "application/offset+octet-stream",
    };
    expect((await fetch(await begun, { method: "PATCH", headers, body })).status).toBe(204);
    await besides();
    page.once("dialog", (dialog) => dialog.accept());
    await page.goto("/models");
    await page.unroute(parts);
    await panel().getByText("large.npz").waitFor();
    return begun;
  }

  it("is interrupted by a reload, and says so on every page, but on none while it is sent", async () => {
    await interrupt(async () => {
      const other = await page.context().newPage();
      await other.goto("/models");
      await other.waitForLoadState("networkidle");
      expect([await notes(other), await other.getByText("was interrupted").count()]).toEqual([1, 0]);
      await other.close();
    });
    await panel().getByText("was interrupted").waitFor();
    await expectGoodPage(page);
  });

  it("goes on with what has not arrived when its file is chosen again, and is forgotten when it is there", async () => {
    const sent: string[] = [];
    page.on("request", (request) => {
      if (!request.url().includes("/api/v1/uploads") || request.method() === "HEAD") return;
      sent.push([request.method(), request.headers()["upload-offset"]].filter(Boolean).join(" "));
    });
    await choose();
    await page.waitForURL(/\/datasets\/[0-9a-f-]{36}$/, { timeout: 120_000 });
    made = page.url().split("/").at(-1) ?? "";
    await heading("large").waitFor();
    expect(sent).toEqual([`PATCH ${SENT}`]);
    expect([await panel().count(), await notes()]).toEqual([0, 0]);
  });

  it("is forgotten when the server refuses its content", async () => {
    await page.goto("/models");
    await field("Model file").setInputFiles(unusable);
    await button("Upload model").click();
    await page.getByRole("alert").getByText("Unusable model").waitFor({ timeout: 120_000 });
    expect([await panel().count(), await notes()]).toEqual([0, 0]);
  });

  it("can be given up, here and on the server", async () => {
    const address = await interrupt();
    const deleted = page.waitForResponse((response) => response.request().method() === "DELETE");
    await button("Give up the upload of large.npz").click();
    expect((await deleted).status()).toBe(204);
    await panel().waitFor({ state: "detached" });
    expect((await fetch(address, { method: "HEAD", headers: { "Tus-Resumable": "1.0.0" } })).status).toBe(404);
    expect(await notes()).toBe(0);
  });
});

describe.sequential("a list", () => {
  const names = (): Promise<string[]> =>
    page.getByRole("table", { name: "Models" }).locator("tbody th a").allInnerTexts();
  const isList = ({ pathname }: URL): boolean => pathname === "/api/v1/models";

  it("is searched for names on all of its pages, and says for what in its address", async () => {
    const known = await (await fetch(`${url}/api/v1/models/${model}`)).json();
    const named = (id: string, name: string) => ({ ...known, id, name });
    await page.route(isList, (route) => {
      if (route.request().method() !== "GET") return route.continue();
      const isSecond = new URL(route.request().url()).searchParams.has("cursor");
      return route.fulfill({
        json: isSecond
          ? { items: [named("b", "MobileNetV1, half"), named("c", "ResNet-20")], next_cursor: null }
          : { items: [named("a", "ResNet-56")], next_cursor: "older" },
      });
    });
    await page.goto("/models");
    await button("Show more").waitFor();
    expect(await names()).toEqual(["ResNet-56"]);
    await field("Find by name").fill("half mobile");
    await page.getByText("1 of 3 models", { exact: true }).waitFor();
    expect([await names(), await button("Show more").count()]).toEqual([["MobileNetV1, half"], 0]);
    await expectParam(page, "words", "half mobile");
    await page.reload();
    await page.getByText("1 of 3 models", { exact: true }).waitFor();
    expect(await field("Find by name").inputValue()).toBe("half mobile");
    await expectGoodPage(page);
    const [file] = await Promise.all([
      page.waitForEvent("download"),
      page.getByRole("group", { name: "Save Models" }).getByRole("button", { name: "CSV" }).click(),
    ]);
    expect((await readFile(await file.path(), "utf8")).trim().split("\r\n").length).toBe(2);
    await field("Find by name").fill("half resnet");
    await page.getByText("No model is called so.").waitFor();
    await expectGoodPage(page);
    await button("Show all").click();
    await expectParam(page, "words", null);
    expect(await names()).toEqual(["ResNet-56", "MobileNetV1, half", "ResNet-20"]);
    await page.unroute(isList);
  });

  it("of datasets is searched, too", async () => {
    await page.goto("/datasets?words=for%20the%20library");
    await link("For the library").first().waitFor();
    expect(await field("Find by name").inputValue()).toBe("for the library");
    await field("Find by name").fill("nothing is called so");
    await page.getByText("No dataset is called so.").waitFor();
    await expectGoodPage(page);
  });
});

describe.sequential("the graph of a network", () => {
  const nodes = residual(400);
  const graph = (): Locator => page.getByRole("listbox", { name: /^Nodes of the network/ });
  const selected = (): Locator => page.getByRole("region", { name: "Selected node" });

  it("draws 400 nodes, of which the document has those that are seen", async () => {
    await page.route(`${url}/api/v1/models/${model}/graph`, (route) => route.fulfill({ json: { nodes } }));
    await page.goto(`/models/${model}`);
    await graph().waitFor();
    expect(await graph().getByRole("option").count()).toBeLessThan(40);
    expect(await elements()).toBeLessThan(3000);
    await expectGoodPage(page);
  });

  it("is walked by the keyboard, along its edges", async () => {
    await graph().focus();
    for (const key of ["Home", "ArrowDown", "ArrowDown"]) await page.keyboard.press(key);
    await selected().getByRole("heading", { name: "blocks.0.1" }).waitFor();
    await page.keyboard.press("End");
    await selected()
      .getByRole("heading", { name: nodes.at(-1)?.name ?? "" })
      .waitFor();
    await expectGoodPage(page);
  });

  it("is searched by name, and says in its address what is selected", async () => {
    await field("Find a node").fill("blocks.20.");
    await page.getByText("8 matches").waitFor();
    await page.keyboard.press("Enter");
    await page.getByText("1 of 8").waitFor();
    await page.keyboard.press("Enter");
    await selected().getByRole("heading", { name: "blocks.20.1" }).waitFor();
    await page.waitForURL(/node=blocks\.20\.1/);
    await page.reload();
    await selected().getByRole("heading", { name: "blocks.20.1" }).waitFor();
    const option = graph().locator("[aria-selected=true]");
    expect(await option.evaluate((node) => node.getBoundingClientRect().height)).toBeGreaterThan(0);
  });

  it("shows the whole network within the same limits", async () => {
    await button("Whole network").click();
    await page.getByRole("option").nth(399).waitFor({ state: "attached" });
    expect(await elements()).toBeLessThan(3000);
    const slowest = await page.evaluate<number>(`(async () => {
      const box = document.querySelector("svg[role=listbox]");
      let slowest = 0;
      for (let press = 0; press < 20; press += 1) {
        const start = performance.now();
        box.dispatchEvent(new KeyboardEvent("keydown", { key: "ArrowUp", bubbles: true }));
        await new Promise((drawn) => requestAnimationFrame(() => setTimeout(drawn)));
        slowest = Math.max(slowest, performance.now() - start);
      }
      return slowest;
    })()`);
    expect(slowest, "milliseconds from a key to the next picture").toBeLessThan(400);
    await button("100%").click();
  });

  it("has a table of the layers beside it, which leads into the drawing", async () => {
    const table = page.getByRole("table", { name: "Layers" });
    const names = (): Promise<string[]> => table.locator("tbody tr.layer th").allInnerTexts();
    expect((await names())[0]).toBe("features.0.0");
    await table.getByRole("button", { name: "MACs", exact: true }).click();
    await page.waitForURL(/layers=macs/);
    expect((await names())[0]).not.toBe("features.0.0");
    expect(
      await page.getByRole("region", { name: "Layers and their costs" }).getByText("locked:").count(),
    ).toBeLessThan(2);
    await table.getByRole("button", { name: "MACs", exact: true }).click();
    expect((await names())[0]).toBe("features.0.0");
    await page.unroute(`${url}/api/v1/models/${model}/graph`);
  });
});

describe.sequential("a dataset", () => {
  it("shows the class of each sample image, and how a search divides the images", async () => {
    await page.goto(`/datasets/${dataset}`);
    await heading("For the library").waitFor();
    const captions = await page.locator("figcaption").allInnerTexts();
    expect(captions.slice(0, 11)).toEqual(["0", "1", "2", "3", "4", "5", "6", "7", "8", "9", "0"]);
    await page.getByText("scores candidates on 300 and tests the winners on 150").waitFor();
    await page.getByText("No search uses this dataset yet.").waitFor();
    await expectGoodPage(page);
  });

  it("has broken no rule on the way", () => {
    expect(watched.faults).toEqual([]);
  });
});

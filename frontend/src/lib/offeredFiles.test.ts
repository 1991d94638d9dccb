import { expect, it } from "vitest";

import { OfferedFiles } from "./offeredFiles.svelte";

const network = new File(["\b\u0007"], "net.onnx");
const images = new File(["\0\0\b\u0003"], "images-idx3-ubyte");
const anything = new File(["?"], "anything.bin");

it("gives what is dropped on its own page to the form there, once", async () => {
  const offered = new OfferedFiles();
  await offered.drop([network], "models");
  expect(offered.offers).toEqual([]);
  expect(offered.takeOver("datasets")).toBeUndefined();
  expect(offered.takeOver("models")).toEqual({ collection: "models", file: network });
  expect(offered.takeOver("models")).toBeUndefined();
});

it.each([undefined, "datasets"] as const)(
  "asks before a network that is dropped elsewhere is taken (%s)",
  async (page) => {
    const offered = new OfferedFiles();
    await offered.drop([network], page);
    const [offer] = offered.offers;
    expect(offer).toEqual({ collection: "models", file: network });
    expect(offered.takeOver("models")).toBeUndefined();
    offered.accept(offer!);
    expect([offered.offers, offered.takeOver("models")]).toEqual([[], offer]);
  },
);

it("says why nothing comes of what was dropped, until something else is", async () => {
  const offered = new OfferedFiles();
  await offered.drop([network, images], undefined);
  expect(offered.refusal).toContain("a model and a dataset");
  await offered.drop([anything], undefined);
  expect([offered.refusal, offered.offers.length]).toEqual(["", 2]);
  offered.clear();
  expect(offered.offers).toEqual([]);
});

it("leaves what was chosen in a field there, unless it belongs to another page", async () => {
  const offered = new OfferedFiles();
  await offered.consider([anything], "datasets");
  expect([offered.offers, offered.takeOver("datasets")]).toEqual([[], undefined]);
  await offered.consider([network], "datasets");
  expect(offered.offers).toEqual([{ collection: "models", file: network }]);
  await offered.consider([network, images], "datasets");
  expect([offered.offers, offered.refusal]).toEqual([[], ""]);
});

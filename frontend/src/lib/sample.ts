// The sample: a network and images that the server brings along, and a search of them.

import { createSearch, listDatasets, listModels } from "../api/client";
import { ApiError, UNREACHABLE } from "../api/problem";
import type { Page, Search, SearchRequest } from "../api/types";
import { upload } from "../api/upload";

const MODEL = "Sample: MobileNetV1";
const DATASET = "Sample: Fashion-MNIST";
const FILES = {
  model: "mobilenet_v1.pt",
  images: "fashion-mnist-images-idx3-ubyte.gz",
  labels: "fashion-mnist-labels-idx1-ubyte.gz",
};

/** A search that a processor does in a minute or two, and whose winner is better than the reference. */
const SEARCH: Partial<SearchRequest> = {
  budgets: [{ macs: 0.5 }],
  candidates: 12,
  seed: 7,
  calibration_images: 1_000,
  scoring_images: 1_000,
  test_images: 1_000,
  // Of the images that the network was trained on.
  preprocessing: { scale: 1 / 255, mean: [0.286], deviation: [0.353] },
};

/** What is being done, for somebody who waits. */
export type SampleStep = "model" | "dataset" | "search";

/**
 * Uploads the sample where it is not there yet, and queues a search of it.
 *
 * @throws ApiError when the server refuses any of it or cannot be reached
 */
export async function startSample(onStep: (step: SampleStep) => void): Promise<Search> {
  onStep("model");
  const model_id =
    (await known(MODEL, listModels)) ??
    (await sent("models", { file: FILES.model }, { name: MODEL, input_shape: "1,1,28,28" }));
  onStep("dataset");
  const dataset_id =
    (await known(DATASET, listDatasets)) ??
    (await sent("datasets", { images: FILES.images, labels: FILES.labels }, { name: DATASET }));
  onStep("search");
  return createSearch({ ...SEARCH, model_id, dataset_id } as SearchRequest);
}

async function known(
  name: string,
  list: () => Promise<Page<{ id: string; name: string }>>,
): Promise<string | undefined> {
  return (await list()).items.find((item) => item.name === name)?.id;
}

async function sent(
  collection: "models" | "datasets",
  files: Record<string, string>,
  texts: Record<string, string>,
): Promise<string> {
  const form = new FormData();
  for (const [part, name] of Object.entries(files)) form.set(part, await sampleFile(name), name);
  for (const [part, text] of Object.entries(texts)) form.set(part, text);
  const made = await upload<{ id: string }>(collection, form, () => {}, new AbortController().signal);
  return made.id;
}

async function sampleFile(name: string): Promise<Blob> {
  let answer: Response;
  try {
    answer = await fetch(`/sample/${name}`);
  } catch {
    throw new ApiError(UNREACHABLE);
  }
  if (!answer.ok) {
    const detail = `the server does not have ${name}`;
    throw new ApiError({ type: "about:blank", title: "There is no sample", status: answer.status, detail });
  }
  return answer.blob();
}

// A model card in words: what a network is, how well it does, and how it was made.

import type { ModelCard } from "../api/types";
import { budgetText } from "./budgets";
import { classOrderText } from "./classOrder";
import { bytes, count, counted, percent, shape } from "./format";
import { FORMAT_NAMES } from "./names";
import { listed, resizeText } from "./preprocessing";
import { settingsOf } from "./tunings";

type Network = ModelCard["scores"][number]["network"];

const NETWORKS: Record<Network, string> = {
  full: "Full network",
  unadapted: "Pruned, the full network’s statistics",
  adapted: "Pruned, adaptive BN",
  repaired: "Pruned and repaired",
  short_tuned: "Pruned and trained briefly",
  tuned: "Pruned and fine-tuned",
};

export interface CardScoreRow {
  key: string;
  network: string;
  images: string;
  top1: string;
  interval: string;
  top5: string;
  /** Whether these are the weights in the file. */
  isOwn: boolean;
}

export const cardScores = ({ scores, weights }: Pick<ModelCard, "scores" | "weights">): CardScoreRow[] =>
  scores.map(({ network, image_set, images, score, intervals }) => ({
    key: `${network}/${image_set}/${images}`,
    network: NETWORKS[network],
    images: `${count(images)} ${image_set}`,
    top1: percent(score.top1, 2),
    interval: `${percent(intervals.top1.low)} to ${percent(intervals.top1.high)}`,
    top5: percent(score.top5, 2),
    isOwn: network === weights,
  }));

/** What the network is, in a sentence or two. */
export function cardSummary(card: ModelCard): string {
  const { full, pruned, source, weights, scores } = card;
  const share = full.macs > 0 ? ` with ${percent(pruned.macs / full.macs)} of the MACs of ${source.name}` : "";
  const own = scores.filter(({ network }) => network === weights);
  // The test images say most: nothing was chosen by them.
  const best = own.find(({ image_set }) => image_set === "test") ?? own[0];
  const top1 = best ? ` Top-1 on ${counted(best.images, `${best.image_set} image`)}: ${percent(best.score.top1)}.` : "";
  return `A convolutional network${share}. ${WEIGHTS[weights]}${top1}`;
}

const WEIGHTS: Record<ModelCard["weights"], string> = {
  unadapted: "Weights and running statistics are the full network’s.",
  adapted: "Its running statistics are its own (adaptive BN), its weights the full network’s.",
  repaired: "Its layers are fitted to the full network’s outputs, without labels.",
  tuned: "It was trained further after pruning.",
};

export interface CardFact {
  label: string;
  value: string;
  /** Whether it is a hash or a name in a file. */
  isCode?: boolean;
}

/** How the network was made, and from what. */
export function cardFacts({ producer, source, strategy, data, adaptation, tuning, file }: ModelCard): CardFact[] {
  const facts: CardFact[] = [
    { label: "Made by", value: producer },
    { label: "Full network", value: source.name },
    { label: "Its file", value: source.file_name, isCode: true },
    { label: "BLAKE3 of its file", value: source.hash, isCode: true },
    { label: "Input shape", value: shape(source.input_shape) },
  ];
  if (source.classes !== null) facts.push({ label: "Classes", value: count(source.classes) });
  facts.push(
    { label: "Strategy", value: `${strategy.name}, number ${strategy.index}, seed ${strategy.seed}` },
    { label: "Budget", value: strategy.budget ? budgetText(strategy.budget) : "none" },
    {
      label: "Channels that stay by",
      value: `${strategy.importance.criterion ?? "l1"}, ${strategy.importance.aggregate ?? "sum"} over a group`,
    },
  );
  if (adaptation) facts.push({ label: "Running statistics", value: adaptationText(adaptation) });
  if (tuning) {
    const { options, epochs, training_images } = tuning;
    const start = options.start ?? "adapted";
    facts.push(
      { label: "Fine-tuned", value: `${counted(epochs, "epoch")} of ${counted(training_images, "image")}` },
      ...settingsOf({ start, request: options }),
    );
  }
  if (data) facts.push(...dataFacts(data));
  if (file) {
    facts.push({ label: "Format", value: FORMAT_NAMES[file.format as keyof typeof FORMAT_NAMES] ?? file.format });
    if (file.opset !== null) facts.push({ label: "Version of ONNX’s operators", value: String(file.opset) });
    if (file.bytes !== null) facts.push({ label: "Size of the file", value: bytes(file.bytes) });
    if (file.sha256 !== null) facts.push({ label: "SHA-256 of the file", value: file.sha256, isCode: true });
    if (file.hash !== null) facts.push({ label: "BLAKE3 of the file", value: file.hash, isCode: true });
  }
  return facts;
}

function adaptationText({ mode, momentum, batches }: NonNullable<ModelCard["adaptation"]>): string {
  const weight = mode === "momentum" ? ` ${momentum ?? 0.1}` : "";
  return `${mode ?? "cumulative"}${weight}, ${batches == null ? "all batches" : counted(batches, "batch", "batches")}`;
}

function dataFacts(data: NonNullable<ModelCard["data"]>): CardFact[] {
  const { calibration, scoring, test } = data.split;
  const facts: CardFact[] = [
    { label: "Dataset", value: `${data.name}, ${counted(data.images, "image")}` },
    { label: "BLAKE3 of its images", value: data.hash, isCode: true },
    {
      label: "Images used",
      value: `${count(calibration)} calibration, ${count(scoring)} scoring, ${count(test)} test, by seed ${data.seed}`,
    },
    { label: "Labels", value: data.labelled ? "yes" : "none: top-1 is the agreement with the full network" },
  ];
  if (data.labels_hash !== null) facts.push({ label: "BLAKE3 of its labels", value: data.labels_hash, isCode: true });
  const { preprocessing, class_order } = data;
  facts.push(
    { label: "Mean, deviation", value: `${listed(preprocessing.mean)}; ${listed(preprocessing.deviation)}` },
    { label: "Scale", value: String(Number(preprocessing.scale.toPrecision(6))) },
    { label: "Resize", value: resizeText(preprocessing) },
  );
  if (class_order !== "sorted") facts.push({ label: "Class order", value: classOrderText(class_order) });
  return facts;
}

/** Costs of both networks. */
export const cardCosts = ({ full, pruned }: Pick<ModelCard, "full" | "pruned">) =>
  [
    { name: "MACs of one image", full: full.macs, pruned: pruned.macs, text: count },
    { name: "Parameters", full: full.parameters, pruned: pruned.parameters, text: count },
    { name: "Weights and statistics", full: full.bytes, pruned: pruned.bytes, text: bytes },
  ].flatMap(({ full: before, pruned: after, ...rest }) =>
    before === null || after === null
      ? []
      : [{ ...rest, full: before, pruned: after, kept: before ? after / before : 1 }],
  );

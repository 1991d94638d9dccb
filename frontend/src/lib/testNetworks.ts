// Networks for tests, of any number of nodes.

import type { NetworkNode } from "./networkGraph";

const node = (name: string, operator: string, inputs: string[], channels: number): NetworkNode => ({
  name,
  operator,
  inputs,
  groups: operator === "conv2d" || operator === "batch_norm" ? [name.replace(/\.\d$/, "")] : [],
  shape: [1, channels, 8, 8],
  macs: operator === "conv2d" ? channels * 1000 : 0,
  parameters: operator === "conv2d" ? channels * 9 : 0,
});

/** Blocks of seven nodes and a sum with what went in, as in a ResNet. */
export function residual(count: number): NetworkNode[] {
  const nodes = [node("stem", "conv2d", ["input"], 16)];
  for (let block = 0; nodes.length < count; block += 1) {
    const entry = nodes.at(-1)?.name ?? "";
    let last = entry;
    const operators = ["conv2d", "batch_norm", "relu", "conv2d", "batch_norm", "relu", "conv2d"];
    for (const [place, operator] of operators.entries()) {
      const name = `blocks.${block}.${place}`;
      nodes.push(node(name, operator, [last], 16));
      last = name;
    }
    nodes.push(node(`blocks.${block}.add`, "add", [last, entry], 16));
  }
  return nodes.slice(0, count);
}

/** Layers that each read all before them, as in a DenseNet. */
export function dense(layers: number): NetworkNode[] {
  const nodes = [node("stem", "conv2d", ["input"], 16)];
  const features = ["stem"];
  for (let layer = 0; layer < layers; layer += 1) {
    nodes.push(node(`${layer}.cat`, "concat", [...features], 16));
    nodes.push(node(`${layer}.norm`, "batch_norm", [`${layer}.cat`], 16));
    nodes.push(node(`${layer}.conv`, "conv2d", [`${layer}.norm`], 16));
    features.push(`${layer}.conv`);
  }
  return nodes;
}

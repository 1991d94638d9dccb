// The graph of a model's network, loaded and laid out in the background.

import { getModelGraph } from "../api/client";
import { problemOf } from "../api/problem";
import type { Problem } from "../api/types";
import type { GraphLayout, NetworkNode } from "./networkGraph";

export class ModelGraph {
  nodes = $state.raw<NetworkNode[]>();
  layout = $state.raw<GraphLayout>();
  problem = $state.raw<Problem>();
  #worker: Worker | undefined;
  #id: string | undefined;

  /** Loads the graph of a model and has it laid out; returns a function that gives up. */
  load(id: string): () => void {
    let isOver = false;
    this.problem = undefined;
    // The drawing of the same model stays until the new one is there; another model's says nothing of this one.
    if (id !== this.#id) [this.nodes, this.layout] = [undefined, undefined];
    this.#id = id;
    void getModelGraph(id)
      .then(({ nodes }) => isOver || this.#layOut(nodes))
      .catch((error: unknown) => {
        if (!isOver) this.problem = problemOf(error);
      });
    return () => {
      isOver = true;
      this.#stop();
    };
  }

  #layOut(nodes: NetworkNode[]): void {
    this.nodes = nodes;
    this.#stop();
    const worker = new Worker(new URL("./graphLayout.worker.ts", import.meta.url), { type: "module" });
    this.#worker = worker;
    worker.onmessage = ({ data }: MessageEvent<GraphLayout>) => {
      this.layout = data;
      this.#stop();
    };
    worker.onerror = (event) => {
      this.problem = problemOf(new Error(event.message || "The drawing of the network could not be made."));
      this.#stop();
    };
    // Only what the layout depends on.
    worker.postMessage(nodes.map(({ name, inputs }) => ({ name, inputs })));
  }

  #stop(): void {
    this.#worker?.terminate();
    this.#worker = undefined;
  }
}

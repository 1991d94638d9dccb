// A search of ten thousand candidates that nobody computed, and a server that answers for it.

import { createServer, request, type Server } from "node:http";
import type { AddressInfo } from "node:net";

import type { components } from "../src/api/schema.gen";

type Schemas = components["schemas"];

export const SEARCH_ID = "01a22000-0000-7000-8000-000000000000";
const MODEL_ID = "01a22000-0000-7000-8000-00000000ffff";
export const CANDIDATES = 10_000;
export const GROUPS = 60;

const FULL_MACS = 4_089_000_000;
const FULL_PARAMETERS = 25_557_032;
const STRATEGIES = ["sensitivity", "random", "evolutionary", "near_uniform"] as const;
const BUDGETS: Schemas["Limits"][] = [{ macs: 0.7 }, { macs: 0.5 }, { macs: 0.3 }];
const START = Date.parse("2026-11-01T08:00:00Z");

/** From 0 to 1, the same for the same number. */
const noise = (seed: number): number => {
  const value = Math.sin(seed * 12.9898) * 43758.5453;
  return value - Math.floor(value);
};

const idOf = (index: number): string => `01a22000-0000-7000-8000-${String(index + 1).padStart(12, "0")}`;

const rowScore = (top1: number): Schemas["RowScore"] => {
  const { top5, cross_entropy } = score(top1);
  return { top1, top5, cross_entropy };
};

const score = (top1: number): Schemas["Score"] => ({
  top1,
  top5: Math.min(1, top1 + 0.15),
  cross_entropy: 2.5 * (1 - top1),
  agreement: top1,
  kl: 1 - top1,
});

const interval = (middle: number, half: number) => ({ low: Math.max(0, middle - half), high: middle + half });

const intervals = (top1: number): Schemas["Intervals"] => ({
  top1: interval(top1, 0.02),
  top5: interval(top1 + 0.1, 0.02),
  cross_entropy: interval(2.5 * (1 - top1), 0.05),
  agreement: interval(top1, 0.02),
  kl: interval(1 - top1, 0.05),
});

export function candidate(index: number): Schemas["CandidateRow"] {
  const budget = index % BUDGETS.length;
  const share = (BUDGETS[budget]?.macs ?? 1) * (0.99 + 0.01 * noise(index));
  const top1 = 0.35 + 0.4 * Math.sqrt(share) * (0.6 + 0.4 * noise(index + 0.5));
  return {
    id: idOf(index),
    index,
    origin: {
      strategy: index < BUDGETS.length ? "uniform" : (STRATEGIES[Math.floor(index / BUDGETS.length) % 4] ?? "random"),
      budget,
      number: Math.floor(index / BUDGETS.length),
      is_probe: false,
    },
    kept: Array.from(
      { length: GROUPS },
      (_, group) => 8 * Math.ceil(32 * share * (0.5 + 0.5 * noise(index * GROUPS + group))),
    ),
    macs: Math.round(FULL_MACS * share),
    parameters: Math.round(FULL_PARAMETERS * share * (0.8 + 0.2 * noise(index + 0.25))),
    bytes: Math.round(4 * FULL_PARAMETERS * share),
    score: rowScore(top1),
    scored_images: 2000,
    intervals: { top1: interval(top1, 0.02) },
    is_tied: top1 > 0.66,
    test_score: null,
    latencies: [],
    score_without_adaptation: rowScore(top1 * 0.3),
    evaluations: [],
    seconds: 3,
    created_at: new Date(START + 3000 * index).toISOString(),
  };
}

/** The network that they are of. */
function model(): object {
  const groups = Array.from({ length: GROUPS }, (_, group) => ({
    name: `layer${1 + (group % 4)}.${Math.floor(group / 4)}.conv${1 + (group % 3)}`,
    size: 256,
    prunable: true,
    reason: null,
    normalised_by: null,
    computed: [],
    members: [],
  }));
  const layers = groups.map(({ name }) => ({
    ...{ name, operator: "conv2d", shape: [1, 256, 14, 14] },
    ...{ macs: FULL_MACS / GROUPS, parameters: Math.round(FULL_PARAMETERS / GROUPS) },
  }));
  const whole = { macs: FULL_MACS, parameters: FULL_PARAMETERS };
  return { id: MODEL_ID, name: "A network of sixty groups", layers, groups, ...whole };
}

export function search(change: Partial<Schemas["Search"]> = {}): Schemas["Search"] {
  return {
    id: SEARCH_ID,
    name: "Ten thousand candidates",
    model_id: MODEL_ID,
    dataset_id: idOf(0),
    state: "succeeded",
    request: {
      ...({ strategies: [...STRATEGIES], uniform_reference: true, budgets: BUDGETS, candidates: 2500 } as object),
      ...({
        seed: 1,
        calibration_images: 2000,
        scoring_images: 2000,
        repaired: 0,
        short_tuned: 0,
        racing: false,
      } as object),
      ...({ batch_size: 128, round_to: null, min_keep_ratio: 0.1, adaptation: { mode: "cumulative" } } as object),
      ...({
        preprocessing: { mean: [0], deviation: [1], scale: 1, resize: { mode: "cover" }, filter: "bilinear" },
      } as object),
    } as unknown as Schemas["SearchRequest"],
    progress: { phase: "candidates", done: CANDIDATES, total: CANDIDATES },
    baseline: {
      score: score(0.76),
      intervals: intervals(0.76),
      macs: FULL_MACS,
      parameters: FULL_PARAMETERS,
      bytes: 4 * FULL_PARAMETERS,
      test: null,
    } as Schemas["Baseline"],
    best_candidate_id: idOf(3),
    winners: BUDGETS.map((_, budget) => ({ budget, candidate_id: idOf(3 + budget) })),
    budgets: BUDGETS,
    warnings: [],
    latency_model: null,
    split: { calibration: 2000, scoring: 2000, test: 0 },
    error: null,
    waiting_for: null,
    created_at: new Date(START - 60_000).toISOString(),
    started_at: new Date(START).toISOString(),
    finished_at: new Date(START + 3000 * CANDIDATES).toISOString(),
    ...change,
  };
}

const event = (name: string, data: object): string => `event: ${name}\ndata: ${JSON.stringify(data)}\n\n`;

/** The stream as the server sends it of a search that has ended: every candidate, then the search. */
export const stream = (): Buffer => {
  const candidates = Array.from({ length: CANDIDATES }, (_, index) => event("candidate", candidate(index)));
  return Buffer.from(candidates.join("") + event("search", search()) + event("end", search()));
};

/** Candidates in one answer. */
const PAGE = 500;

/** Answers for the search, and asks the real server for everything else, its page among it. */
export async function serve(real: string, events: Buffer): Promise<{ address: string; server: Server }> {
  const own = `/api/v1/searches/${SEARCH_ID}`;
  const empty = { items: [], next_cursor: null };
  const answers: Record<string, object> = {
    [own]: search(),
    [`/api/v1/models/${MODEL_ID}`]: model(),
    ...Object.fromEntries(["tunings", "tuning-races", "studies"].map((part) => [`${own}/${part}`, empty])),
  };
  const server = createServer((asked, answer) => {
    const path = new URL(asked.url ?? "/", real).pathname;
    const made = path.startsWith("/api/v1/candidates/") ? empty : answers[path];
    const asJson = (made: object) =>
      answer.writeHead(200, { "content-type": "application/json" }).end(JSON.stringify(made));
    if (path === `${own}/candidates/rows`) {
      const from = Number(new URL(asked.url ?? "/", real).searchParams.get("cursor") ?? 0);
      const items = Array.from({ length: Math.min(PAGE, CANDIDATES - from) }, (_, index) => candidate(from + index));
      asJson({ items, next_cursor: from + PAGE < CANDIDATES ? String(from + PAGE) : null });
    } else if (path === `${own}/events`) {
      answer.writeHead(200, { "content-type": "text/event-stream" }).end(events);
    } else if (made) {
      asJson(made);
    } else {
      const { method, headers } = asked;
      const passed = request(new URL(asked.url ?? "/", real), { method, headers }, (theirs) => {
        answer.writeHead(theirs.statusCode ?? 502, theirs.headers);
        theirs.pipe(answer);
      });
      passed.on("error", () => answer.writeHead(502).end());
      asked.pipe(passed);
    }
  });
  await new Promise<void>((listening) => server.listen(0, "127.0.0.1", listening));
  return { address: `http://127.0.0.1:${(server.address() as AddressInfo).port}`, server };
}

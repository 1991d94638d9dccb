// Where a candidate or a model comes from, and what has been made of it: model, search, candidate, fine-tuning, file, and model again.

import { checkpointFile, getCandidate, getCheckpoint, getModel, getSearch } from "../api/client";
import { ApiError } from "../api/problem";
import type { Candidate, Checkpoint, Lineage, ModelSummary, Search, Tuning } from "../api/types";
import { bytes, percent, si } from "./format";
import { FORMAT_NAMES } from "./names";
import { titleOf } from "./searches";
import { lengthText } from "./tunings";

export type StepKind = "Model" | "Search" | "Candidate" | "Fine-tuning" | "File";

/** One thing in the line. */
export interface Step {
  kind: StepKind;
  name: string;
  /** Undefined for what is not there any more, and for what the page shows. */
  address?: string;
  /** Whether the address is of a file, which is downloaded. */
  isFile?: boolean;
  note?: string;
  isGone?: boolean;
  isHere?: boolean;
}

/** A thing with what was made of it. */
export interface Branch extends Step {
  children: Branch[];
}

/** What can be asked for, of which anything may have been deleted. */
export interface Source {
  model: (id: string) => Promise<ModelSummary>;
  search: (id: string) => Promise<Search>;
  candidate: (id: string) => Promise<Candidate>;
  checkpoint: (id: string) => Promise<Checkpoint>;
}

export const SERVER: Source = {
  model: getModel,
  search: getSearch,
  candidate: getCandidate,
  checkpoint: getCheckpoint,
};

/** A line of models that were pruned again and again is not longer. */
const LONGEST = 20;

/** What lies before a model: for each network that it was pruned from, that model, its search, candidate, fine-tuning and file. */
export async function ancestors(model: Pick<ModelSummary, "lineage">, source: Source): Promise<Step[]> {
  let steps: Step[] = [];
  let lineage = model.lineage;
  for (let turn = 0; lineage && turn < LONGEST; turn++) {
    const { own, parent } = await generation(lineage, source);
    steps = [...own, ...steps];
    // The line goes on behind a deleted model to the upload that it began with, which the lineage names by itself.
    if (!parent && lineage.first.model_id !== lineage.model_id) {
      const first = await there(source.model(lineage.first.model_id));
      steps = [modelStep(lineage.first.model_id, first), ...steps];
    }
    lineage = parent?.lineage ?? null;
  }
  return steps;
}

async function generation(
  lineage: Lineage,
  source: Source,
): Promise<{ own: Step[]; parent: ModelSummary | undefined }> {
  const [parent, search, candidate, file] = await Promise.all([
    there(source.model(lineage.model_id)),
    there(source.search(lineage.search_id)),
    there(source.candidate(lineage.candidate_id)),
    there(source.checkpoint(lineage.checkpoint_id)),
  ]);
  const searchStep = step("Search", search && titleOf(search, parent?.name), `/searches/${lineage.search_id}`);
  const candidateStep = step(
    "Candidate",
    candidate && `Candidate ${candidate.index}`,
    `/candidates/${lineage.candidate_id}`,
  );
  const tuning = lineage.tuning_id === null ? [] : [tuningOf(lineage.tuning_id, candidate)];
  const fileStep = file ? fileStepOf(file) : step("File", undefined, "");
  return { own: [modelStep(lineage.model_id, parent), searchStep, candidateStep, ...tuning, fileStep], parent };
}

/** A fine-tuning goes with its candidate. */
const tuningOf = (id: string, candidate: Candidate | undefined): Step =>
  step("Fine-tuning", candidate && `Fine-tuning of candidate ${candidate.index}`, `/tunings/${id}`);

const step = (kind: StepKind, name: string | undefined, address: string): Step =>
  name === undefined ? { kind, name: "deleted since", isGone: true } : { kind, name, address };

const modelStep = (id: string, model: ModelSummary | undefined): Step => ({
  ...step("Model", model?.name, `/models/${id}`),
  ...(model ? { note: `${si(model.macs)} MACs` } : {}),
});

/** What was asked for; undefined where it has been deleted. */
async function there<T>(request: Promise<T>): Promise<T | undefined> {
  try {
    return await request;
  } catch (error) {
    if (error instanceof ApiError && error.isNotFound) return undefined;
    throw error;
  }
}

/** What was made of a candidate: its files, its fine-tunings with theirs, and the models that files have become. */
export function descendants(
  candidate: Pick<Candidate, "id">,
  tunings: readonly Tuning[],
  checkpoints: readonly Checkpoint[],
  models: readonly ModelSummary[],
): Branch[] {
  const becoming = models.filter(({ lineage }) => lineage?.candidate_id === candidate.id);
  const filesOf = (tuning: string | null): Branch[] => {
    const files = checkpoints.filter(({ tuning_id, state }) => tuning_id === tuning && state === "ready");
    const known = new Set(files.map(({ id }) => id));
    // A model outlives the file that it was made of.
    const orphans = becoming.filter(
      ({ lineage }) => lineage?.tuning_id === tuning && !known.has(lineage.checkpoint_id),
    );
    return [...files.map((file) => fileBranch(file, becoming)), ...orphans.map(modelBranch)];
  };
  const tuned = tunings.map((tuning): Branch => ({
    kind: "Fine-tuning",
    name: lengthText(tuning),
    address: `/tunings/${tuning.id}`,
    note: tuning.result ? `top-1 ${percent(tuning.result.validation.top1, 2)}` : tuning.state,
    children: filesOf(tuning.id),
  }));
  return [...filesOf(null), ...tuned];
}

function fileStepOf(file: Checkpoint): Step {
  const weights = file.weights === "repaired" ? ", repaired" : "";
  const opset = file.format === "onnx" && file.opset !== null ? `, opset ${file.opset}` : "";
  return {
    kind: "File",
    name: `${FORMAT_NAMES[file.format]}${weights}${opset}`,
    address: checkpointFile(file.id),
    isFile: true,
    ...(file.bytes === null ? {} : { note: bytes(file.bytes) }),
  };
}

const fileBranch = (file: Checkpoint, models: readonly ModelSummary[]): Branch => ({
  ...fileStepOf(file),
  children: models.filter(({ lineage }) => lineage?.checkpoint_id === file.id).map(modelBranch),
});

const modelBranch = (model: ModelSummary): Branch => ({ ...modelStep(model.id, model), children: [] });

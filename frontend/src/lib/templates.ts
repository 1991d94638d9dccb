// The settings of the paper's experiments, in words.

import type { SearchRequest, Template } from "../api/types";
import { count, counted, percent, si } from "./format";
import { formOf } from "./searchRequest";
import type { SearchForm } from "./searchForm";
import { DEFAULT_TEST_IMAGES } from "./searchPlan";

/** The fields of a request that a template sets, which the schema leaves open. */
const settings = ({ search }: Template): Partial<SearchRequest> => search as Partial<SearchRequest>;

/** `ResNet-50, 50% of MACs` */
export function templateName(template: Template): string {
  const { macs } = settings(template);
  return macs == null ? template.name : `${template.network}, ${percent(macs, 0)} of MACs`;
}

/** A form with the settings of a template; a dataset that has too few images gives all that scoring and the test leave. */
export function withTemplate(form: SearchForm, template: Template, images: number | undefined): SearchForm {
  const filled = { ...form, ...formOf(settings(template)), front: false, template: template.name };
  const others = (form.scoringImages ?? 0) + (form.testImages ?? DEFAULT_TEST_IMAGES);
  const left = images === undefined ? Infinity : images - others;
  if ((filled.calibrationImages ?? 0) <= left) return filled;
  return { ...filled, calibrationImages: left > 0 ? left : form.calibrationImages };
}

/** What was published of the network that a template is for. */
export function published({ network, published, tune }: Template): string {
  const { macs, top1, top5 } = published;
  const training = tune.epochs === undefined ? "fine-tuning" : `fine-tuning for ${counted(tune.epochs, "epoch")}`;
  return (
    `Published: ${network} pruned to ${si(macs)} MACs has ${percent(top1)} top-1 and ${percent(top5)} top-5 on ImageNet’s ` +
    `validation images after ${training}.`
  );
}

/** Where the calibration images differ from the published ones, a sentence that says so; empty otherwise. */
export function imagesDiffer(template: Template, form: SearchForm): string {
  const wanted = settings(template).calibration_images;
  if (wanted === undefined || form.calibrationImages === null || wanted === form.calibrationImages) return "";
  return `The paper calibrates on ${count(wanted)} images; here it is ${count(form.calibrationImages)}.`;
}

import { expect, it } from "vitest";

import type { Template } from "../api/types";
import { form, macs } from "./searchForm.fixtures";
import { toRequest } from "./searchRequest";
import { imagesDiffer, published, templateName, withTemplate } from "./templates";

const template = {
  name: "resnet50_50",
  network: "ResNet-50",
  search: {
    template: "resnet50_50",
    adaptation: { batches: 100, mode: "momentum", momentum: 0.1 },
    ...{ calibration_images: 12_800, macs: 0.5, min_keep_ratio: 0.3, racing: false, round_to: 1 },
    strategies: ["reference"],
  },
  tune: { epochs: 120 },
  published: { macs: 2e9, top1: 0.764, top5: 0.9289 },
} as unknown as Template;

it("fills in what the paper says, and leaves the rest as it was", () => {
  const before = form({ budgets: macs(30, 20), name: "Mine", scoringImages: 5000 });
  const filled = withTemplate(before, template, 60_000);
  expect(toRequest(filled)).toEqual({ ...toRequest(before), ...template.search, budgets: undefined });
  expect(imagesDiffer(template, filled)).toBe("");
});

it("takes as many calibration images as there are, and says so", () => {
  const filled = withTemplate(form({ scoringImages: 5000 }), template, 9500);
  expect(filled.calibrationImages).toBe(2500);
  expect(imagesDiffer(template, filled)).toBe("The paper calibrates on 12,800 images; here it is 2,500.");
  expect(withTemplate(form({ scoringImages: 5000, testImages: 0 }), template, 9500).calibrationImages).toBe(4500);
  expect(withTemplate(form({ scoringImages: 5000 }), template, 6000).calibrationImages).toBe(1000);
});

it("is told by its network and its budget, with what was published", () => {
  expect(templateName(template)).toBe("ResNet-50, 50% of MACs");
  expect(published(template)).toContain("76.4% top-1 and 92.9% top-5");
  expect(published(template)).toContain("after fine-tuning for 120 epochs");
});

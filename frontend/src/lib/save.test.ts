import { expect, it } from "vitest";

import { fileName } from "./save";

it("makes names that every file system takes", () => {
  expect(fileName("MobileNetV1, 50%")).toBe("mobilenetv1-50");
  expect(fileName("../../x\u0000 y")).toBe("x-y");
  expect(fileName("模型")).toBe("eagleeye");
});

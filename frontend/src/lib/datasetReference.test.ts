import { expect, it } from "vitest";

import { missingOf, referenceOf, rootsSentence } from "./datasetReference";

it("says where datasets may lie", () => {
  expect(rootsSentence(["/data"])).toBe("Below /data.");
  expect(rootsSentence(["/data", "/mnt/a", "/mnt/b"])).toBe("Below /data, /mnt/a or /mnt/b.");
});

it("wants a path from the root on", () => {
  expect(missingOf(" ")).toHaveProperty("location");
  expect(missingOf("images/train")).toHaveProperty("location");
  expect(missingOf(" /data/images/train ")).toEqual({});
});

it("leaves the name out where none is given", () => {
  expect(referenceOf(" /data/a ", " ")).toEqual({ location: "/data/a" });
  expect(referenceOf("/data/a", " ImageNet ")).toEqual({ location: "/data/a", name: "ImageNet" });
});

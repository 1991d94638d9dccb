import { expect, it, vi } from "vitest";

import { ApiError } from "../api/problem";
import { Submission } from "./submission.svelte";

const invalid = (field: string): ApiError =>
  new ApiError({
    type: "/problems/invalid-field",
    title: "Invalid field",
    status: 422,
    detail: `${field}: must be positive`,
    errors: [{ field, detail: "must be positive" }],
  });

/** A form's event; the form has no element at fault to go to. */
const event = (): SubmitEvent =>
  ({ preventDefault: () => undefined, currentTarget: { querySelector: () => null } }) as unknown as SubmitEvent;

it("sends a form only when nothing is missing, and says what is once it was tried", async () => {
  const submission = new Submission();
  const missing = { epochs: "Enter a number." };
  const request = vi.fn(() => Promise.resolve());
  expect(submission.errors({}, missing)).toEqual({});
  await submission.send(event(), missing, request);
  expect(request).not.toHaveBeenCalled();
  expect(submission.errors({}, missing)).toEqual(missing);
  await submission.send(event(), {}, request);
  expect(request).toHaveBeenCalledOnce();
});

it("shows what the server said of a field until the field is changed", async () => {
  const submission = new Submission();
  await submission.send(event(), {}, () => Promise.reject(invalid("epochs")));
  expect([submission.problem?.title, submission.isBusy]).toEqual(["Invalid field", false]);
  expect(submission.errors({ seed: "Too large." }, {})).toEqual({ epochs: "Must be positive", seed: "Too large." });
  submission.change("epochs");
  expect(submission.errors({}, {})).toEqual({});
  await submission.send(event(), {}, () => Promise.reject(invalid("epochs")));
  expect(submission.errors({}, {})).toEqual({ epochs: "Must be positive" });
});

it("says what is missing in a field once that was left", () => {
  const submission = new Submission();
  const missing = { epochs: "Enter a number.", seed: "Enter a number." };
  expect(submission.errors({}, missing)).toEqual({});
  vi.stubGlobal("HTMLElement", class {});
  const field = Object.assign(new HTMLElement(), { name: "seed" });
  submission.leave({ target: field } as unknown as Event);
  vi.unstubAllGlobals();
  expect(submission.errors({}, missing)).toEqual({ seed: "Enter a number." });
});

it("sends no form with something else in a field for a number, which would pass for an empty one", async () => {
  const submission = new Submission();
  const inputs = [
    { name: "round_to", validity: { badInput: true } },
    { name: "seed", validity: { badInput: false } },
  ];
  const form = { querySelector: () => null, querySelectorAll: () => inputs };
  const request = vi.fn();
  await submission.send(
    { preventDefault: () => undefined, currentTarget: form } as unknown as SubmitEvent,
    {},
    request,
  );
  expect(request).not.toHaveBeenCalled();
  expect(submission.errors({}, {})).toEqual({ round_to: "This is not a number." });
});

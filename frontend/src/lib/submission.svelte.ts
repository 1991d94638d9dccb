// Sending a form: what the server says about its fields, and which of that still holds.

import { tick } from "svelte";
import { SvelteSet } from "svelte/reactivity";

import { fieldErrors, problemOf } from "../api/problem";
import type { Problem } from "../api/types";
import type { FieldErrors } from "./searchForm";

export class Submission {
  problem = $state.raw<Problem>();
  isBusy = $state(false);
  #wasTried = $state(false);
  /** Fields that were changed after the server refused them: what it said about them is out of date. */
  readonly #changed = new SvelteSet<string>();

  /**
   * What is wrong with each field: what the server has said, and what it would say.
   *
   * @param hints what is said while typing
   * @param missing what is said once somebody has tried to send the form
   */
  errors(hints: FieldErrors, missing: FieldErrors): FieldErrors {
    const said = Object.entries(fieldErrors(this.problem)).filter(([field]) => !this.#changed.has(field));
    return { ...Object.fromEntries(said), ...hints, ...(this.#wasTried ? missing : {}) };
  }

  /** Notes that fields have been changed. */
  change(...fields: string[]): void {
    for (const field of fields) this.#changed.add(field);
  }

  /** Notes which field an event has changed; its name. */
  changeBy({ target }: Event): string | undefined {
    if (!(target instanceof HTMLElement && "name" in target && typeof target.name === "string")) return undefined;
    this.change(target.name);
    return target.name;
  }

  /** Sends a form unless something is missing; the first field at fault gets the focus. */
  async send(event: SubmitEvent, missing: FieldErrors, request: () => Promise<void>): Promise<void> {
    event.preventDefault();
    const form = event.currentTarget as HTMLFormElement;
    this.#wasTried = true;
    this.problem = undefined;
    this.#changed.clear();
    if (Object.keys(missing).length > 0) return focusOnError(form);
    this.isBusy = true;
    try {
      await request();
    } catch (error) {
      this.problem = problemOf(error);
      await focusOnError(form);
    } finally {
      this.isBusy = false;
    }
  }
}

async function focusOnError(form: HTMLFormElement): Promise<void> {
  await tick();
  form.querySelector<HTMLElement>("[aria-invalid='true']")?.focus();
}

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
  /** Fields that were left: what is missing in them is said. */
  readonly #left = new SvelteSet<string>();
  /** Fields for numbers in which something else stands. They are empty for the form, and must not pass for that. */
  #unreadable = $state.raw<readonly string[]>([]);

  /** Whether somebody has tried to send the form. */
  get wasTried(): boolean {
    return this.#wasTried;
  }

  /**
   * What is wrong with each field: what the server has said, and what it would say.
   *
   * @param hints what is said while typing
   * @param missing what is said once a field was left, or somebody has tried to send the form
   */
  errors(hints: FieldErrors, missing: FieldErrors): FieldErrors {
    const said = Object.entries(fieldErrors(this.problem)).filter(([field]) => !this.#changed.has(field));
    const due = Object.entries(missing).filter(([field]) => this.#wasTried || this.#left.has(field));
    const unreadable = this.#unreadable.map((field) => [field, "This is not a number."]);
    return { ...Object.fromEntries([...said, ...Object.entries(hints), ...due, ...unreadable]) };
  }

  /** Notes that fields have been changed. */
  change(...fields: string[]): void {
    for (const field of fields) this.#changed.add(field);
  }

  /** Notes which field an event of a form has changed; its name. */
  changeBy({ target, currentTarget }: Event): string | undefined {
    const name = nameOf(target);
    if (name !== undefined) this.change(name);
    void tick().then(() => this.#look(currentTarget));
    return name;
  }

  /** Notes which field was left. */
  leave({ target }: Event): void {
    const name = nameOf(target);
    if (name) this.#left.add(name);
  }

  #look(form: EventTarget | null): void {
    if (!form || !("querySelectorAll" in form)) return;
    const numbers = [...(form as HTMLFormElement).querySelectorAll<HTMLInputElement>("input[type='number']")];
    this.#unreadable = numbers.filter(({ validity }) => validity.badInput).map(({ name }) => name);
  }

  /** Sends a form unless something is missing; the first field at fault gets the focus. */
  async send(event: SubmitEvent, missing: FieldErrors, request: () => Promise<void>): Promise<void> {
    event.preventDefault();
    const form = event.currentTarget as HTMLFormElement;
    this.#wasTried = true;
    this.problem = undefined;
    this.#changed.clear();
    this.#look(form);
    if (Object.keys(missing).length + this.#unreadable.length > 0) return focusOnError(form);
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

const nameOf = (target: EventTarget | null): string | undefined =>
  target instanceof HTMLElement && "name" in target && typeof target.name === "string" ? target.name : undefined;

async function focusOnError(form: HTMLFormElement): Promise<void> {
  await tick();
  form.querySelector<HTMLElement>("[aria-invalid='true']")?.focus();
}

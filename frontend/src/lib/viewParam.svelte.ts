// How a page is looked at, kept in its address.

import { navigation } from "../navigation.svelte";
import type { Codec } from "./codecs";

/** What the address says under a name; what depends on it is worked out anew only when this part of the address changes. */
class Written<T> {
  readonly #text: string | null;
  readonly #value: T | undefined;

  constructor(
    readonly name: string,
    readonly codec: Codec<T>,
  ) {
    this.#text = $derived(navigation.param(name));
    this.#value = $derived(this.#text === null ? undefined : codec.read(this.#text));
  }

  get value(): T | undefined {
    return this.#value;
  }
}

/** A value in the page's address; the fallback, which the address leaves out, holds where it says nothing that can be read. */
export class ViewParam<T> {
  readonly #written: Written<T>;
  readonly #fallback: T;

  constructor(name: string, codec: Codec<T>, fallback: T) {
    this.#written = new Written(name, codec);
    this.#fallback = fallback;
  }

  get value(): T {
    return this.#written.value ?? this.#fallback;
  }

  set value(value: T) {
    const { name, codec } = this.#written;
    const text = codec.write(value);
    navigation.amend({ [name]: text === codec.write(this.#fallback) ? null : text });
  }
}

/** A value that is there or not, such as what is selected. */
export class OptionalParam<T> {
  readonly #written: Written<T>;

  constructor(name: string, codec: Codec<T>) {
    this.#written = new Written(name, codec);
  }

  get value(): T | undefined {
    return this.#written.value;
  }

  set value(value: T | undefined) {
    const { name, codec } = this.#written;
    navigation.amend({ [name]: value === undefined ? null : codec.write(value) });
  }
}

/** Milliseconds. */
const PAUSE = 250;

/** A value that may change many times a second. Browsers refuse an address that does, so it is written after the last change. */
export class SettlingParam<T> {
  readonly #param: OptionalParam<T>;
  /** What the address will say. */
  #unwritten = $state.raw<{ value: T | undefined }>();
  #timer: ReturnType<typeof setTimeout> | undefined;

  constructor(name: string, codec: Codec<T>) {
    this.#param = new OptionalParam(name, codec);
  }

  get value(): T | undefined {
    return this.#unwritten ? this.#unwritten.value : this.#param.value;
  }

  set value(value: T | undefined) {
    this.#unwritten = { value };
    clearTimeout(this.#timer);
    this.#timer = setTimeout(() => {
      this.#param.value = value;
      this.#unwritten = undefined;
    }, PAUSE);
  }

  /** Writes nothing more: the page, and with it the address, may be another one soon. */
  stop(): void {
    clearTimeout(this.#timer);
  }
}

// How a page is looked at, kept in its address.

import { navigation } from "../navigation.svelte";
import type { Codec } from "./codecs";

/** A value in the page's address; the fallback, which the address leaves out, holds where it says nothing that can be read. */
export class ViewParam<T> {
  readonly #name: string;
  readonly #fallback: T;
  readonly #codec: Codec<T>;

  constructor(name: string, codec: Codec<T>, fallback: T) {
    this.#name = name;
    this.#codec = codec;
    this.#fallback = fallback;
  }

  get value(): T {
    const written = navigation.param(this.#name);
    return (written === null ? undefined : this.#codec.read(written)) ?? this.#fallback;
  }

  set value(value: T) {
    const written = this.#codec.write(value);
    navigation.amend({ [this.#name]: written === this.#codec.write(this.#fallback) ? null : written });
  }
}

/** A value that is there or not, such as what is selected. */
export class OptionalParam<T> {
  readonly #name: string;
  readonly #codec: Codec<T>;

  constructor(name: string, codec: Codec<T>) {
    this.#name = name;
    this.#codec = codec;
  }

  get value(): T | undefined {
    const written = navigation.param(this.#name);
    return written === null ? undefined : this.#codec.read(written);
  }

  set value(value: T | undefined) {
    navigation.amend({ [this.#name]: value === undefined ? null : this.#codec.write(value) });
  }
}

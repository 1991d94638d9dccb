// The interrupted uploads as a page shows them: they change with what other tabs do.

import { beingSent, untilFree } from "../api/uploadLocks";
import { giveUp, interruptedUploads, isNoted, type Noted } from "./interruptedUploads";

export class Interruptions {
  /** As of the last look. */
  all = $state.raw<readonly Noted[]>([]);
  readonly #storage: Storage;
  /** Files whose uploads are looked at when they are not sent any more. */
  readonly #awaited = new Set<string>();

  constructor(storage: Storage) {
    this.#storage = storage;
  }

  /** Looks what is interrupted now. */
  async look(): Promise<void> {
    // What has been forgotten is gone at once; the rest takes questions to the other tabs and to the server.
    this.all = this.all.filter((one) => isNoted(one, this.#storage));
    for (const fingerprint of await beingSent()) void this.#lookAfter(fingerprint);
    this.all = await interruptedUploads(this.#storage);
  }

  /** A tab that is closed, or left, tells nobody that it sends no more. */
  async #lookAfter(fingerprint: string): Promise<void> {
    if (this.#awaited.has(fingerprint)) return;
    this.#awaited.add(fingerprint);
    await untilFree(fingerprint);
    this.#awaited.delete(fingerprint);
    await this.look();
  }

  async giveUp(gone: Noted): Promise<void> {
    this.all = this.all.filter((one) => one !== gone);
    await giveUp(gone, this.#storage);
    await this.look();
  }
}

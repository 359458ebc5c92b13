/** Runs reloads one after the other. A reload that is requested while one runs is done once more afterwards. */
export class Reloads<Report> {
  readonly #reload: () => Promise<Report>;
  #running: Promise<void> | undefined;
  #isRequested = false;
  #last: Report | undefined;

  /** @param reload never rejects */
  constructor(reload: () => Promise<Report>) {
    this.#reload = reload;
  }

  /** Resolves when all requested reloads are done, with what has become of the last. */
  async request(): Promise<Report> {
    // The file may have changed after the running reload read it.
    this.#isRequested = true;
    this.#running ??= this.#runRequested();
    await this.#running;
    return this.#last!;
  }

  /** Runs another change of the configuration when no reload runs. Rejects as it does; reloads go on all the same. */
  async between(change: () => Promise<void>): Promise<void> {
    while (this.#running !== undefined) await this.#running;
    const changed = change();
    this.#running = Promise.allSettled([changed]).then(() => this.#runRequested());
    await this.#running;
    await changed;
  }

  async #runRequested(): Promise<void> {
    while (this.#isRequested) {
      this.#isRequested = false;
      this.#last = await this.#reload();
    }
    this.#running = undefined;
  }
}

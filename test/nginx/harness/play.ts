/** Plays the script of one side of a connection. */
import type { Socket } from "node:net";
import type { Script, Step } from "./case.ts";

/** What the sides of one case have said to each other. */
export class Events {
  readonly #happened = new Set<string>();
  readonly #waiting = new Set<() => void>();
  #isOver = false;

  happens(name: string): void {
    this.#happened.add(name);
    for (const resolve of this.#waiting) resolve();
    this.#waiting.clear();
  }

  /** Nobody waits any more. */
  end(): void {
    this.#isOver = true;
    this.happens("");
  }

  async until(name: string): Promise<void> {
    while (!this.#happened.has(name) && !this.#isOver) {
      await new Promise<void>((resolve) => this.#waiting.add(resolve));
    }
  }
}

/** The bytes that one side has got so far. */
export class Inbox {
  text = "";
  isClosed = false;
  #searchedTo = 0;
  readonly #waiting = new Set<() => void>();

  add(bytes: Buffer): void {
    this.text += bytes.toString("latin1");
    this.#wake();
  }

  /** The bytes up to here, which are done with. */
  take(end: number): string {
    const taken = this.text.slice(0, end);
    this.text = this.text.slice(end);
    this.#searchedTo = 0;
    return taken;
  }

  close(): void {
    this.isClosed = true;
    this.#wake();
  }

  /** Resolves when the text has come after what was waited for before, or nothing comes any more. */
  async until(wanted: string): Promise<void> {
    for (;;) {
      const at = this.text.indexOf(wanted, this.#searchedTo);
      if (at >= 0) this.#searchedTo = at + wanted.length;
      if (at >= 0 || this.isClosed) return;
      await this.changes();
    }
  }

  changes(): Promise<void> {
    return new Promise((resolve) => this.#waiting.add(resolve));
  }

  #wake(): void {
    for (const resolve of this.#waiting) resolve();
    this.#waiting.clear();
  }
}

/** Resolves when all steps are done. */
export async function play(
  script: Script,
  socket: Socket,
  inbox: Inbox,
  events: Events,
): Promise<void> {
  for (const step of isList(script) ? script : [script])
    await playStep(step, socket, inbox, events);
}

async function playStep(step: Step, socket: Socket, inbox: Inbox, events: Events): Promise<void> {
  if (step === "end") socket.end();
  else if (step === "reset") socket.resetAndDestroy();
  else if (typeof step === "string") socket.write(step, "latin1");
  else if (Buffer.isBuffer(step)) socket.write(step);
  else if ("until" in step) await inbox.until(step.until);
  else if ("happens" in step) events.happens(step.happens);
  else if ("happened" in step) await events.until(step.happened);
  else await new Promise((resolve) => setTimeout(resolve, step.pauseMs));
}

function isList(script: Script): script is readonly Step[] {
  return Array.isArray(script);
}

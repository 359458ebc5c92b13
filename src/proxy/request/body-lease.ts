/** What a body takes of the worker's memory, given back once nobody needs it: also after the end of its request. */
import type { TopLevel } from "../../body/json/top-level.ts";
import type { RequestContext } from "../context/request-context.ts";

interface Memory {
  readonly bodies: { giveBack(bytes: number): void };
  giveTopLevel(members: TopLevel): void;
}

export class BodyLease {
  /** Of the body. */
  bytes = 0;
  readonly #context: RequestContext;
  readonly #memory: Memory;
  /** Of the body, when the request does without them. */
  #members: TopLevel | undefined;
  #keepers = 1;

  constructor(context: RequestContext, memory: Memory) {
    this.#context = context;
    this.#memory = memory;
  }

  /** From now on the request has no members. */
  dropMembers(): void {
    this.#members ??= this.#context.members;
    this.#context.members = undefined;
  }

  /** Somebody else needs the body and its members. */
  keep(): void {
    this.#keepers += 1;
  }

  letGo(): void {
    this.#keepers -= 1;
    if (this.#keepers > 0) return;
    if (this.#members !== undefined) this.#memory.giveTopLevel(this.#members);
    this.#members = undefined;
    this.#memory.bodies.giveBack(this.bytes);
  }
}

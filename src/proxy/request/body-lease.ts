/**
 * What a request takes of the worker's memory for bodies, given back once nobody needs it: also after the end of the
 * request.
 */
import type { TopLevel } from "../../body/json/top-level.ts";
import type { RequestContext } from "../context/request-context.ts";

interface Memory {
  readonly bodies: { take(bytes: number): boolean; giveBack(bytes: number): void };
  giveTopLevel(members: TopLevel): void;
}

export class BodyLease {
  /** Of the body, and of responses that are held back. */
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

  /**
   * So many further bytes of responses are held back; fewer if negative.
   * @returns false if they do not fit into the worker's total; then they are not counted
   */
  hold(bytes: number): boolean {
    if (bytes < 0) this.#memory.bodies.giveBack(-bytes);
    else if (!this.#memory.bodies.take(bytes)) return false;
    this.bytes += bytes;
    return true;
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
    this.bytes = 0;
  }
}

/** Whose request it is, and what that means for it: as the stages see it that come after the check of its key. */
import type { Outcome } from "./outcomes.ts";

export interface RequestTenant {
  /** "" = not known (yet), or refused. */
  readonly name: string;
  /** Its token is being verified. */
  readonly isPending: boolean;
  /** Why the request ends here. */
  readonly refusal: Outcome | undefined;
  /** In queues; undefined = as the pool says. */
  readonly priority: number | undefined;
  readonly weight: number;
  /** Its tokens are limited. */
  readonly countsTokens: boolean;
  /** Whether it may be served by this model, and be told of it. */
  mayUse(model: string): boolean;
  /**
   * The body has come.
   *
   * @param generates it has a prompt to charge
   * @param needsModel false = it is about something that a model has made for this tenant
   * @returns why the request ends here
   */
  admitBody(generates: boolean, needsModel: boolean): Outcome | undefined;
  /** How much of the limits is left, as header lines for the client. */
  limitLines(): string;
  /** The request is over: gives back what it has, and charges what is known now. */
  ended(): void;
}

/** What a queue is asked and what it knows, with nothing out of the ordinary: tests say what is. */
import type { EngineView, QueueRequest } from "../../../src/queue/orderings/shared/ordering.ts";
import type { Prompt } from "../../../src/queue/orderings/shortest-prefill/queued-prompt.ts";

/** Of pool `p`. */
export const queueRequest = (said: Partial<QueueRequest> = {}): QueueRequest => ({
  pool: "p",
  decodePool: "",
  model: "",
  bytes: 1_000,
  blocks: [],
  priority: 0,
  tenant: "",
  weight: 1,
  explains: false,
  ...said,
});

export const queuedPrompt = (tokens: number, said: Partial<Prompt> = {}): Prompt => ({
  model: "",
  tokens,
  blocks: [],
  blockTokens: 512,
  keys: undefined,
  advanceMs: 0,
  tenant: "",
  weight: 1,
  explains: false,
  ...said,
});

/** All are available, and have capacity for any number. */
export const engineView = (size: number, said: Partial<EngineView> = {}): EngineView => ({
  size,
  isAvailable: () => true,
  hasCapacity: () => true,
  otherRequests: () => 0,
  share: () => 1,
  reportedCache: () => undefined,
  holders: () => undefined,
  tokensOf: (bytes) => bytes / 4,
  ...said,
});

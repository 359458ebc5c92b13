/**
 * What a worker and the queue in the main thread say to each other. Plain data only: it crosses threads by structured
 * clone.
 */
import type { PromptUsage } from "../dialects/shared/prompt-usage.ts";
import type { PlacementSnapshot } from "../pool/engine-snapshot.ts";
import type { QueueRequest } from "./orderings/shared/ordering.ts";
import type { LeadingTokens, QueueRejection } from "./queue-service.ts";

/** From a worker, with its own number for each ticket. There is none if one worker serves alone. */
export type QueueMessage =
  | { readonly type: "queue-enqueue"; readonly id: number; readonly request: QueueRequest }
  | { readonly type: "queue-prefill-done"; readonly id: number; readonly usage: PromptUsage }
  | { readonly type: "queue-release-prefill"; readonly id: number }
  | { readonly type: "queue-cancel"; readonly id: number }
  /** The reply is `queue-found`. */
  | {
      readonly type: "queue-look-up";
      readonly id: number;
      readonly pool: string;
      readonly tokenIds: Int32Array;
    };

export type QueueReply =
  | {
      readonly type: "queue-granted";
      readonly id: number;
      readonly engine: string;
      readonly options: readonly PlacementSnapshot[];
    }
  | {
      readonly type: "queue-rejected";
      readonly id: number;
      readonly reason: QueueRejection;
      readonly retryAfterMs: number;
    }
  | { readonly type: "queue-found"; readonly id: number; readonly leadingTokens: LeadingTokens };

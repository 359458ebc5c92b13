/** What a worker and the queue in the main thread say to each other. Plain data only: it crosses threads by structured clone. */
import type { PromptUsage } from "../dialects/shared/prompt-usage.ts";
import type { PlacementSnapshot } from "../pool/engine-snapshot.ts";
import type { LeadingTokens, QueueRejection, QueueRequest } from "./queue-service.ts";

/** What a worker asks of the desk in the main thread, by its own numbers of prompts. There is none where one worker serves alone. */
export type QueueMessage =
  | { readonly type: "prompt"; readonly id: number; readonly queueRequest: QueueRequest }
  | { readonly type: "prompt-done"; readonly id: number; readonly usage: PromptUsage }
  | { readonly type: "prompt-skipped"; readonly id: number }
  | { readonly type: "prompt-left"; readonly id: number }
  /** Answered by `prompt-found`. */
  | {
      readonly type: "prompt-looked-up";
      readonly id: number;
      readonly pool: string;
      readonly tokenIds: Int32Array;
    };

export type QueueReply =
  | {
      readonly type: "prompt-granted";
      readonly id: number;
      readonly engine: string;
      readonly seen: readonly PlacementSnapshot[];
    }
  | {
      readonly type: "prompt-refused";
      readonly id: number;
      readonly reason: QueueRejection;
      readonly retryAfterMs: number;
    }
  | {
      readonly type: "prompt-found";
      readonly id: number;
      readonly leadingTokens: LeadingTokens;
    };

/** Writes served prompts as lines of a trace that `global-proxy simulate` replays: sizes and times, never text. */
import { scanTopLevel, TopLevel } from "../../body/json/top-level.ts";
import { promptBlocks } from "../../body/prompt/prompt-blocks.ts";
import { SaltedIds } from "../../body/prompt/salted-ids.ts";
import type { RecordConfig } from "../../config/schema/record.ts";
import { usualBytesPerToken } from "../../estimates/token-ratio.ts";
import { promptBlockBytes, promptBlocksMax } from "../../limits.ts";
import type { Clock } from "../../transport/clock.ts";
import type { RequestContext } from "../context/request-context.ts";
import { outputTokensOf } from "../context/response-meter.ts";
import type { LineSink } from "../routing/access-log.ts";

export class Recorder {
  readonly #sink: LineSink;
  readonly #clock: Clock;
  readonly #ids: SaltedIds;
  readonly #members = new TopLevel();

  constructor({ salt = "" }: RecordConfig, sink: LineSink, clock: Clock) {
    this.#ids = new SaltedIds(salt);
    this.#sink = sink;
    this.#clock = clock;
  }

  /** Called when a request has ended. A request that is no prompt, was refused or got no tokens leaves no line. */
  write(context: RequestContext): void {
    const { meter, body, status } = context;
    if (meter === undefined || status < 200 || status >= 300) return;
    const members = this.#members;
    if (scanTopLevel(body, 0, body.length, members) === undefined) {
      const { tokens: outputTokens } = outputTokensOf(meter, members);
      if (outputTokens > 0) {
        const blocks: number[] = [];
        promptBlocks(members, promptBlockBytes, promptBlocksMax, blocks);
        const { promptTokens } = meter;
        const estimate = Math.max(1, Math.round(body.length / usualBytesPerToken));
        this.#sink.write(
          `{"timestamp": ${this.#wallMs(context)}, "input_length": ${promptTokens > 0 ? promptTokens : estimate}, ` +
            `"output_length": ${outputTokens}, "hash_ids": [${this.#ids.of(blocks).join(", ")}]}\n`,
        );
      }
    }
    members.clear();
  }

  /** When it came, in ms since 1970, so that what several workers or proxies write can be put together. */
  #wallMs({ startMs }: RequestContext): number {
    return Math.round(this.#clock.wallMs() - this.#clock.nowMs() + startMs);
  }
}

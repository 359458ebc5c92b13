/** How a decode engine gets KV from a prefill engine, or tells it that it is not needed any more. */

import { Agent, type ClientRequest, type IncomingMessage, request } from "node:http";
import type { RecomputeReason } from "./handoff.ts";
import type { KvSource } from "./openai.ts";
import { kvFetchTimeoutMs } from "./options.ts";

/** `ok`, or why the prompt has to be computed again. */
export type FetchOutcome = "ok" | RecomputeReason;

const answerBytesMax = 4_096;

export class KvClient {
  readonly #agent = new Agent({ keepAlive: true, maxFreeSockets: 16 });

  /** Calls `done` once. */
  fetch(source: KvSource, promptHash: string, done: (outcome: FetchOutcome) => void): void {
    this.#post(source, "/kv/fetch", { ...source, promptHash }, (answer) =>
      done(readOutcome(answer)),
    );
  }

  release(source: KvSource): void {
    this.#post(source, "/kv/release", { requestId: source.requestId }, () => {});
  }

  close(): void {
    this.#agent.destroy();
  }

  #post(
    source: KvSource,
    path: string,
    body: object,
    done: (answer: Answer | undefined) => void,
    mayRetry = true,
  ): void {
    const json = JSON.stringify(body);
    const outgoing = request({
      agent: this.#agent,
      host: source.host,
      port: source.port,
      path,
      method: "POST",
      headers: { "content-type": "application/json", "content-length": Buffer.byteLength(json) },
      timeout: kvFetchTimeoutMs,
    });
    outgoing.on("timeout", () => outgoing.destroy(new Error("no answer in time")));
    outgoing.on("response", (incoming) => readAnswer(incoming, once));
    outgoing.on("error", () => {
      // A pooled connection may have been closed at the moment it was used; that says nothing of the other side.
      if (mayRetry && !settled && isReused(outgoing)) {
        settled = true;
        this.#post(source, path, body, done, false);
      } else once(undefined);
    });
    let settled = false;
    const once = (answer: Answer | undefined): void => {
      if (settled) return;
      settled = true;
      done(answer);
    };
    outgoing.end(json);
  }
}

interface Answer {
  readonly status: number;
  readonly text: string;
}

function isReused(outgoing: ClientRequest): boolean {
  return outgoing.reusedSocket;
}

function readAnswer(incoming: IncomingMessage, done: (answer: Answer | undefined) => void): void {
  let text = "";
  incoming.setEncoding("utf8");
  incoming.on("data", (part: string) => {
    text += part;
    if (text.length > answerBytesMax) incoming.destroy();
  });
  incoming.on("end", () => done({ status: incoming.statusCode ?? 0, text }));
  incoming.on("error", () => done(undefined));
  incoming.on("close", () => done(undefined));
}

function readOutcome(answer: Answer | undefined): FetchOutcome {
  if (answer?.status === 200) return "ok";
  if (answer?.status !== 409) return "fetch_failed";
  const refusal = /"reason":"(unknown|wrong_prompt|mangled_params)"/.exec(answer.text)?.[1];
  return (refusal as FetchOutcome | undefined) ?? "fetch_failed";
}

/**
 * Has an engine tokenise a request's prompt: the body goes to `/tokenize` as the client sent it, since that endpoint
 * reads the same members.
 */
import { KeyName } from "../../body/json/key-name.ts";
import { tokenIdsIn } from "../../body/prompt/token-ids.ts";
import { isGenerating } from "../../dialects/endpoints/endpoint.ts";
import { endpointOf, hasChoices } from "../../dialects/endpoints/find-endpoint.ts";
import { tokenizeResponseBytesMax, tokenizeTimeoutMs } from "../../limits.ts";
import type { Expirable } from "../../transport/deadlines.ts";
import { bodyForEngines, holdersIn } from "../context/engine-model.ts";
import type { Route } from "../routing/route.ts";
import { EngineAsk } from "../upstream/connection/engine-ask.ts";
import type { Tokenizers } from "../upstream/connection/tokenizers.ts";
import type { ForwardedRequest } from "../upstream/forwarded-request.ts";

export class PromptTokens implements Expirable {
  deadlineMs: number;
  deadlineIndex = -1;
  readonly #request: ForwardedRequest;
  readonly #tokenizers: Tokenizers;
  readonly #ask: EngineAsk | undefined;
  readonly #done: (tokenIds: Int32Array | undefined) => void;
  #isOver = false;
  #startedMs = 0;

  /** @param done called once with the prompt's tokens; undefined = there are none to be had */
  constructor(
    request: ForwardedRequest,
    route: Route,
    tokenizers: Tokenizers,
    done: (tokenIds: Int32Array | undefined) => void,
  ) {
    const { worker, context } = request;
    this.#request = request;
    this.#tokenizers = tokenizers;
    this.#done = done;
    this.deadlineMs = worker.deadlines.dueIn(tokenizeTimeoutMs);
    const { clock } = worker;
    const holders = holdersIn(tokenizers.pool, context);
    const engine = isReadable(request)
      ? tokenizers.next(clock.nowMs(), clock.wallMs(), holders)
      : undefined;
    if (engine === undefined) return;
    this.#ask = new EngineAsk({
      request,
      route,
      pool: tokenizers.pool,
      engine,
      uri: "/tokenize",
      body: bodyForEngines(context),
      timeoutMs: tokenizeTimeoutMs,
      responseBytesMax: tokenizeResponseBytesMax,
      ended: () => this.#ended(),
    });
  }

  start(): void {
    if (this.#ask === undefined) {
      this.#done(undefined);
      return;
    }
    const { deadlines, clock } = this.#request.worker;
    this.#startedMs = clock.nowMs();
    deadlines.add(this);
    this.#ask.send();
  }

  /** Nobody waits for them any more. */
  cancel(): void {
    if (this.#isOver) return;
    this.#isOver = true;
    this.#request.worker.deadlines.remove(this);
    this.#ask?.cancel();
  }

  expired(): void {
    this.#ask?.cancel();
    this.#ended();
  }

  #ended(): void {
    if (this.#isOver) return;
    this.#isOver = true;
    const { deadlines, clock } = this.#request.worker;
    deadlines.remove(this);
    this.#request.context.trace?.step("tokenise", this.#startedMs, clock.nowMs());
    const response = this.#ask?.response;
    const tokenIds = response && tokenIdsIn(response);
    this.#tokenizers.answered(tokenIds !== undefined, clock.nowMs());
    this.#done(tokenIds);
  }
}

const salt = new KeyName("cache_salt");

/**
 * Whether `/tokenize` understands it: a completion or a chat, without images that an engine has still to encode; and
 * whether its tokens say what it shares with others, which a salt is there to prevent.
 */
function isReadable({ context, embeddings, members }: ForwardedRequest): boolean {
  const endpoint = endpointOf(context.path);
  return (
    embeddings === undefined &&
    (members?.lastIndexOf(salt) ?? -1) < 0 &&
    endpoint !== undefined &&
    isGenerating(endpoint) &&
    hasChoices(endpoint)
  );
}

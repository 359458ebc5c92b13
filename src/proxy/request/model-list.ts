/**
 * `GET /v1/models` of several engines: all are asked, and what each serves becomes one list. Engines that fail are left
 * out.
 */

import { memberOf, Patches } from "../../body/edit/patches.ts";
import { arrayElements } from "../../body/json/array.ts";
import { KeyName } from "../../body/json/key-name.ts";
import type { Span } from "../../body/json/member-value.ts";
import { listBytesMax, listedEnginesMax, listTimeoutMs } from "../../limits.ts";
import type { Pool } from "../../pool/pool.ts";
import type { Expirable } from "../../transport/deadlines.ts";
import type { Route } from "../routing/route.ts";
import { EngineAsk } from "../upstream/connection/engine-ask.ts";
import type { ForwardedRequest } from "../upstream/forwarded-request.ts";

const data = new KeyName("data");
const idKey = new KeyName("id");
const noBody = Buffer.alloc(0);
const comma = Buffer.from(",");

export class ModelList implements Expirable {
  deadlineMs: number;
  deadlineIndex = -1;
  readonly #request: ForwardedRequest;
  readonly #asks: readonly EngineAsk[];
  readonly #done: (list: Buffer | undefined) => void;
  #open: number;
  #isOver = false;

  /** @param done called once with the list; undefined = no engine has given one */
  constructor(request: ForwardedRequest, route: Route, done: (list: Buffer | undefined) => void) {
    const { worker, context } = request;
    const decode = route.destination(context);
    const pools = [decode?.pool, route.prefillPool].filter((pool) => pool !== undefined);
    const uri = decode?.uri ?? "";
    this.#request = request;
    this.#done = done;
    this.#asks = enginesOf(pools, worker.clock.wallMs()).map(
      ({ pool, engine }) =>
        new EngineAsk({
          request,
          route,
          pool,
          engine,
          uri,
          body: noBody,
          timeoutMs: listTimeoutMs,
          responseBytesMax: listBytesMax,
          ended: () => this.#ended(),
        }),
    );
    this.#open = this.#asks.length;
    this.deadlineMs = worker.deadlines.dueIn(listTimeoutMs);
  }

  /** One engine says best by itself what it serves. */
  get isNeeded(): boolean {
    return this.#asks.length > 1;
  }

  start(): void {
    this.#request.worker.deadlines.add(this);
    for (const ask of this.#asks) ask.send();
  }

  /** Nobody waits for the list. */
  cancel(): void {
    this.#isOver = true;
    this.#close();
  }

  expired(): void {
    this.#finish();
  }

  #ended(): void {
    this.#open -= 1;
    if (this.#open === 0) this.#finish();
  }

  #finish(): void {
    if (this.#isOver) return;
    this.#isOver = true;
    const lists = this.#asks
      .map(({ response }) => response)
      .filter((response) => response !== undefined);
    this.#close();
    this.#done(mergedModels(lists));
  }

  #close(): void {
    this.#request.worker.deadlines.remove(this);
    for (const ask of this.#asks) ask.cancel();
  }
}

/** One for each address: ranks behind one address are one server. */
function enginesOf(pools: readonly Pool[], nowMs: number) {
  const byAddress = new Map<string, { pool: Pool; engine: Pool["engines"][number] }>();
  for (const pool of pools) {
    for (const engine of pool.engines) {
      if (byAddress.size >= listedEnginesMax) break;
      const { key } = engine.address;
      if (pool.isAvailable(engine, nowMs) && !byAddress.has(key))
        byAddress.set(key, { pool, engine });
    }
  }
  return [...byAddress.values()];
}

/** The first list, with those models of the others behind its own that it does not name; of one id the first counts. */
function mergedModels(lists: readonly Buffer[]): Buffer | undefined {
  const ids = new Set<string>();
  let first: { readonly json: Buffer; readonly end: number } | undefined;
  let more: Buffer[] = [];
  for (const json of lists) {
    const list = memberOf(json, { start: 0, end: json.length }, data);
    const models = list && arrayElements(json, list.start, list.end);
    if (models === undefined) continue;
    const unknown = models.filter((model) => isNew(json, model, ids));
    if (first === undefined) {
      first = { json, end: list!.end - 1 };
      more = models.length === 0 ? [] : [comma];
    } else for (const { start, end } of unknown) more.push(json.subarray(start, end), comma);
  }
  if (first === undefined) return undefined;
  // A comma stands before the first of them, and behind each: the last one is too many, as is one that has nothing
  // behind it.
  more.pop();
  if (more.length === 0) return first.json;
  const patches = new Patches(first.json);
  patches.replace({ start: first.end, end: first.end }, Buffer.concat(more));
  return patches.result();
}

function isNew(json: Buffer, model: Span, ids: Set<string>): boolean {
  const span = memberOf(json, model, idKey);
  if (span === undefined) return false;
  const id = json.toString("utf8", span.start, span.end);
  if (ids.has(id)) return false;
  ids.add(id);
  return true;
}

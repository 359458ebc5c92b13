/** What an SGLang engine reports about itself, and its endpoint that aborts requests by their `rid`. */

import { RequestError } from "../../http/request-error.ts";
import type { RouteResponse, RouteTable } from "../../http/route-table.ts";
import type { InferenceRequest } from "../../request/inference-request.ts";
import type { Acquired, EngineContext, Leg } from "../dialect.ts";

export class SglangInfo {
  readonly #engine: EngineContext;
  readonly #dpSize: number;
  /** Requests that wait for another engine, by `rid`. */
  readonly #waiting = new Map<string, () => void>();

  constructor(engine: EngineContext, dpSize: number) {
    this.#engine = engine;
    this.#dpSize = dpSize;
  }

  get routes(): RouteTable {
    const serverInfo = () => json(this.#serverInfo());
    const modelInfo = () => json(this.#modelInfo());
    return {
      "GET /server_info": serverInfo,
      "GET /get_server_info": serverInfo,
      "GET /model_info": modelInfo,
      "GET /get_model_info": modelInfo,
      "GET /v1/loads": () => json({ loads: this.#loads() }),
      "GET /metrics": () => ({
        status: 200,
        json: this.#metrics(),
        contentType: "text/plain; version=0.0.4; charset=utf-8",
      }),
      "GET /health_generate": () => ({ status: 200, json: "" }),
      "POST /abort_request": ({ body }) => this.#abort(body),
    };
  }

  /** Wraps the leg so that `/abort_request` can end it while it waits for the other engine. */
  abortable({ fields }: InferenceRequest, leg: Leg): Leg {
    const rid = fields["rid"];
    const { acquire } = leg;
    if (typeof rid !== "string" || acquire === undefined) return leg;
    return {
      ...leg,
      acquire: (signal) =>
        new Promise<Acquired>((resolve, reject) => {
          const abortRequest = new AbortController();
          this.#waiting.set(rid, () => {
            abortRequest.abort();
            leg.abandon?.();
            reject(new RequestError(400, "BadRequestError", "Aborted by AbortReq."));
          });
          acquire(AbortSignal.any([signal, abortRequest.signal]))
            .then(resolve, reject)
            .finally(() => this.#waiting.delete(rid));
        }),
    };
  }

  #abort(body: unknown): RouteResponse {
    const { rid, abort_all: all } = (body ?? {}) as { rid?: unknown; abort_all?: unknown };
    for (const [name, abort] of [...this.#waiting]) if (all === true || name === rid) abort();
    // SGLang does not say whether there was such a request.
    return { status: 200, json: "" };
  }

  #serverInfo(): object {
    const { role, options, address } = this.#engine;
    return {
      model_path: options.model,
      served_model_name: options.model,
      host: address.host,
      port: address.port,
      disaggregation_mode: role === "mixed" ? "null" : role,
      // A prefill engine's side port is its bootstrap server.
      disaggregation_bootstrap_port: role === "prefill" ? address.sidePort : 8998,
      dp_size: this.#dpSize,
      load_balance_method: role === "prefill" ? "follow_bootstrap_room" : "round_robin",
      version: "0.0.0+simulated",
      internal_states: [],
    };
  }

  #modelInfo(): object {
    const { model } = this.#engine.options;
    return { model_path: model, tokenizer_path: model, is_generation: true };
  }

  /** SGLang's names; as with `--enable-metrics`. */
  #metrics(): string {
    const { load, kvUsage, options } = this.#engine;
    const labels = `{engine_type="unified",model_name=${JSON.stringify(options.model)}}`;
    const gauges = [
      ["sglang:num_running_reqs", load.running],
      ["sglang:num_queue_reqs", load.waiting],
      ["sglang:token_usage", kvUsage],
    ] as const;
    return gauges
      .map(([name, value]) => `# TYPE ${name} gauge\n${name}${labels} ${value}\n`)
      .join("");
  }

  /** All load counts for the first rank: the simulated engine has one scheduler. */
  #loads(): readonly object[] {
    const { running, waiting } = this.#engine.load;
    return Array.from({ length: this.#dpSize }, (_, dp_rank) => ({
      dp_rank,
      num_running_reqs: dp_rank === 0 ? running : 0,
      num_waiting_reqs: dp_rank === 0 ? waiting : 0,
    }));
  }
}

function json(value: object): RouteResponse {
  return { status: 200, json: JSON.stringify(value) };
}

/** Replays a trace under several policies, at several rate scales. */
import { seededRandom } from "../policies/shared/seeded-random.ts";
import type { Outcome } from "./model/fleet.ts";
import { Utilization } from "./model/utilization.ts";
import type { EngineProfile } from "./profile.ts";
import { replay } from "./replay.ts";
import { highestScale } from "./results/goodput.ts";
import { type Metrics, metricsOf } from "./results/metrics.ts";
import { defaultSlo, type Slo } from "./results/slo.ts";
import { distinctBlocks, spreadArrivals, type TraceRequest } from "./traces/trace.ts";

export interface FleetSize {
  readonly prefill: number;
  readonly decode: number;
}

export interface SimulateOptions extends FleetSize {
  readonly policies: readonly string[];
  readonly decodePolicy: string;
  readonly scales: readonly number[];
  readonly profile: EngineProfile;
  readonly seed: number;
  /** Arrivals of one tick of the trace's clock are spread over this time; 0 = not at all. */
  readonly spreadMs: number;
  /** Share of the trace's distinct blocks that each prefill engine's cache holds. */
  readonly cacheFraction: number;
  readonly noise: number;
  readonly slowest: number;
  /** Default: `defaultSlo`. */
  readonly slo?: Slo;
  /**
   * Also search the highest scale at which enough requests meet the SLO, over all and in each decile of input length.
   */
  readonly goodput: boolean;
}

export interface PolicyResult extends Metrics {
  readonly policy: string;
  readonly scale: number;
  /** Rate scales; undefined = not searched. */
  readonly goodput?: number;
  readonly fairGoodput?: number;
}

/** One replay of the trace in detail, for plots. */
export interface Replayed {
  readonly policy: string;
  readonly scale: number;
  readonly outcomes: readonly Outcome[];
  readonly utilization: Utilization;
}

/** Replays a trace at any scale and with any fleet. Results are kept, so no replay is run twice. */
export class Trials {
  readonly options: SimulateOptions;
  readonly trace: readonly TraceRequest[];
  readonly #cacheBlocks: number;
  readonly #onReplay: (replayed: Replayed) => void;
  readonly #known = new Map<string, Metrics>();

  /** @param onReplay called after each replay */
  constructor(
    trace: readonly TraceRequest[],
    options: SimulateOptions,
    onReplay: (replayed: Replayed) => void,
  ) {
    this.options = options;
    this.trace = spreadArrivals(trace, options.spreadMs, seededRandom(options.seed));
    const blocks = distinctBlocks(trace) * options.cacheFraction;
    this.#cacheBlocks = Math.max(1, Math.round(blocks));
    this.#onReplay = onReplay;
  }

  metrics(policy: string, scale: number, fleet: FleetSize = this.options): Metrics {
    const { prefill, decode } = fleet;
    const key = `${policy} ${scale} ${prefill} ${decode}`;
    let metrics = this.#known.get(key);
    if (metrics === undefined) {
      const { options } = this;
      const utilization = new Utilization({ prefill, decode });
      const outcomes = replay({
        ...options,
        prefill,
        decode,
        trace: this.trace,
        scale,
        cacheBlocks: this.#cacheBlocks,
        random: seededRandom(options.seed + 1),
        utilization,
        prefillPolicy: policy,
      });
      this.#onReplay({ policy, scale, outcomes, utilization });
      metrics = metricsOf(outcomes, options.profile, options.slo ?? defaultSlo);
      this.#known.set(key, metrics);
    }
    return metrics;
  }

  /**
   * The highest scale at which enough requests meet the SLO; fair = in each decile of input length.
   * @param most no higher scale is tried
   */
  goodput(policy: string, isFair: boolean, fleet: FleetSize = this.options, most?: number): number {
    const { share } = this.options.slo ?? defaultSlo;
    return highestScale(
      (scale) => {
        const { attained, attainedWorst } = this.metrics(policy, scale, fleet);
        return isFair ? attainedWorst : attained;
      },
      share,
      most,
    );
  }
}

/** @param onReplay called after each replay, also those of the search for goodput */
export function* simulate(
  trace: readonly TraceRequest[],
  options: SimulateOptions,
  onReplay: (replayed: Replayed) => void = () => {},
): Generator<PolicyResult> {
  const trials = new Trials(trace, options, onReplay);
  for (const policy of options.policies) {
    const goodput = options.goodput
      ? { goodput: trials.goodput(policy, false), fairGoodput: trials.goodput(policy, true) }
      : {};
    for (const scale of options.scales) {
      yield { policy, scale, ...trials.metrics(policy, scale), ...goodput };
    }
  }
}

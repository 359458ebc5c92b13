/** The table of a simulation: policies at rate scales, with what each is judged by. */
import { seededRandom } from "../simulated-engine/model/prng.ts";
import { defaultSlo, type Figures, figuresOf, highestScale, type Slo } from "./figures.ts";
import type { Outcome } from "./fleet.ts";
import type { EngineProfile } from "./profile.ts";
import { replay } from "./replay.ts";
import { distinctBlocks, spreadArrivals, type TraceRequest } from "./trace.ts";
import { UsageLog } from "./usage.ts";

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
  /** Arrivals of one tick of the trace's clock are spread over so many ms; 0 = as they are. */
  readonly spreadMs: number;
  /** Share of the trace's distinct blocks that each prefill engine's cache holds. */
  readonly cacheFraction: number;
  readonly noise: number;
  readonly slowest: number;
  /** Default: `defaultSlo`. */
  readonly slo?: Slo;
  /** Also searches the highest scale at which enough meet the SLO, over all and in each decile of input length. */
  readonly goodput: boolean;
}

export interface Row extends Figures {
  readonly policy: string;
  readonly scale: number;
  /** Rate scales; undefined = not asked for. */
  readonly goodput?: number;
  readonly fairGoodput?: number;
}

/** One replay of the trace, for those who want more than figures. */
export interface Replayed {
  readonly policy: string;
  readonly scale: number;
  readonly outcomes: readonly Outcome[];
  readonly usage: UsageLog;
}

/** Replays a trace as often as asked, at any scale and with any fleet; what was replayed once is remembered. */
export class Trials {
  readonly options: SimulateOptions;
  readonly trace: readonly TraceRequest[];
  readonly #cacheBlocks: number;
  readonly #onReplay: (replayed: Replayed) => void;
  readonly #known = new Map<string, Figures>();

  /** @param onReplay told after each replay */
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

  figures(policy: string, scale: number, fleet: FleetSize = this.options): Figures {
    const { prefill, decode } = fleet;
    const key = `${policy} ${scale} ${prefill} ${decode}`;
    let figures = this.#known.get(key);
    if (figures === undefined) {
      const { options } = this;
      const usage = new UsageLog({ prefill, decode });
      const outcomes = replay({
        ...options,
        prefill,
        decode,
        trace: this.trace,
        scale,
        cacheBlocks: this.#cacheBlocks,
        random: seededRandom(options.seed + 1),
        usage,
        prefillPolicy: policy,
      });
      this.#onReplay({ policy, scale, outcomes, usage });
      figures = figuresOf(outcomes, options.profile, options.slo ?? defaultSlo);
      this.#known.set(key, figures);
    }
    return figures;
  }

  /**
   * The highest scale at which enough meet the SLO; fair = in each decile of input length.
   * @param most no higher scale is tried
   */
  goodput(policy: string, isFair: boolean, fleet: FleetSize = this.options, most?: number): number {
    const { share } = this.options.slo ?? defaultSlo;
    return highestScale(
      (scale) => {
        const { attained, attainedWorst } = this.figures(policy, scale, fleet);
        return isFair ? attainedWorst : attained;
      },
      share,
      most,
    );
  }
}

/** @param onReplay told after each replay of the trace: of those that rows are about, and of the search for goodput */
export function* simulate(
  trace: readonly TraceRequest[],
  options: SimulateOptions,
  onReplay: (replayed: Replayed) => void = () => {},
): Generator<Row> {
  const trials = new Trials(trace, options, onReplay);
  for (const policy of options.policies) {
    const goodput = options.goodput
      ? { goodput: trials.goodput(policy, false), fairGoodput: trials.goodput(policy, true) }
      : {};
    for (const scale of options.scales) {
      yield { policy, scale, ...trials.figures(policy, scale), ...goodput };
    }
  }
}

/**
 * Counts what has become of a request, when it has ended: durations and tokens in a row by route and model, and its
 * outcome. What goes on during the request only leaves times in its context and its meter.
 */

import type { MetricsConfig } from "../../config/schema/metrics.ts";
import { routeCharsMax, spareMetersMax } from "../../limits.ts";
import { observe } from "../../observe/metrics/buckets.ts";
import { type MetricsMemory, otherLabel, rowFields } from "../../observe/metrics/metrics-memory.ts";
import { requestHistograms } from "../../observe/metrics/request-definitions.ts";
import type { Clock } from "../../transport/clock.ts";
import { succeededPrefill, transferMs } from "./leg-times.ts";
import { ModelNames } from "./model-names.ts";
import { outcomes } from "./outcomes.ts";
import type { RequestContext } from "./request-context.ts";
import { outcomeCodes, outcomeIndex } from "./request-counters.ts";
import { ResponseMeter } from "./response-meter.ts";
import { TenantMetrics } from "./tenant-metrics.ts";
import { tokenCounts } from "./token-counts.ts";

/** How many models and tenants have a label of their own. */
type LabelBounds = Pick<MetricsConfig, "modelsMax" | "tenantsMax">;

/** Rows of one route. */
interface RouteRows {
  readonly route: string;
  /** By the model's index: where the row begins. */
  readonly byModel: (number | undefined)[];
  /** By model, outcome and status. */
  readonly outcomes: Map<number, number>;
}

export class RequestMetrics {
  readonly models: ModelNames;
  readonly tenants: TenantMetrics;
  readonly #memory: MetricsMemory;
  readonly #clock: Clock;
  readonly #values: Float64Array;
  readonly #routes = new Map<string, RouteRows>();
  readonly #spareMeters: ResponseMeter[] = [];

  constructor(memory: MetricsMemory, clock: Clock, config: LabelBounds) {
    this.#memory = memory;
    this.#clock = clock;
    this.#values = memory.rows.values;
    this.models = new ModelNames(config.modelsMax);
    this.tenants = new TenantMetrics(memory, config.tenantsMax);
    // The worker before, if there was one, has named some.
    for (const [, model = ""] of memory.rows.known) this.models.add(model);
    // So that there is one when no other row is left.
    memory.rows.open([otherLabel, otherLabel]);
    memory.outcomes.open([otherLabel, otherLabel, otherLabel, otherLabel]);
  }

  /** Another configuration. */
  use({ modelsMax, tenantsMax }: LabelBounds): void {
    this.models.max = modelsMax;
    this.tenants.max = tenantsMax;
  }

  takeMeter(): ResponseMeter {
    return this.#spareMeters.pop() ?? new ResponseMeter(this.#clock);
  }

  /** Nobody asks for it any more. */
  giveMeter(meter: ResponseMeter): void {
    if (this.#spareMeters.length >= spareMetersMax) return;
    meter.reset();
    this.#spareMeters.push(meter);
  }

  /**
   * The request has ended, and its members are still there.
   * @param generates it asks for tokens
   */
  ended(context: RequestContext, generates: boolean): void {
    const { route, status, outcome } = context;
    if (context.tenant !== undefined) this.tenants.ended(context);
    const isWhole = outcome === outcomes.answered && status < 400;
    const model = this.models.indexOf(context.members, isWhole);
    const rows = this.#routes.get(route) ?? this.#addRoute(route);
    const ended = this.#outcomeRow(rows, model, outcomeIndex(outcome!), status);
    const { values } = this.#memory.outcomes;
    values[ended] = values[ended]! + 1;
    const hasResponse = generates && context.firstByteMs >= 0 && status < 400;
    if (context.heldMs < 0 && !context.fellBack && context.resumes === 0 && !hasResponse) return;
    const row = rows.byModel[model] ?? this.#openRow(rows, model);
    if (context.heldMs >= 0) this.#time(row, "queue", context.heldMs);
    if (context.fellBack) this.#add(row + rowFields.fallbacks, 1);
    if (context.resumes > 0) this.#add(row + rowFields.resumes, context.resumes);
    if (!hasResponse) return;
    if (isWhole) this.#time(row, "duration", context.endMs - context.startMs);
    this.#prefilled(row, context);
    this.#responded(row, context);
  }

  /** How long the prefill has taken that succeeded, and what came behind it. */
  #prefilled(row: number, context: RequestContext): void {
    const prefill = succeededPrefill(context);
    if (prefill === undefined) return;
    this.#time(row, "prefill", prefill.endMs - prefill.sentMs);
    const sentMs = context.decodes.at(-1)?.sentMs ?? -1;
    if (sentMs >= prefill.endMs) this.#time(row, "decodeDelay", sentMs - prefill.endMs);
    const waitMs = transferMs(context);
    if (waitMs >= 0) this.#time(row, "transfer", waitMs);
  }

  /** The client has some of a response, or all of it. */
  #responded(row: number, context: RequestContext): void {
    const { meter, startMs, firstByteMs } = context;
    if (meter === undefined) return;
    const { prompt, cached, output, isUsage } = tokenCounts(context);
    const tokens = Math.max(0, output);
    this.#add(row + rowFields.outputTokens + (isUsage ? 0 : 1), tokens);
    if (prompt >= 0) this.#add(row + rowFields.promptTokens, prompt);
    else this.#add(row + rowFields.promptTokens + 1, estimatedTokens(context));
    this.#add(row + rowFields.cachedTokens, Math.max(0, cached));
    if (meter.events === 0) return;
    this.#time(row, "firstToken", firstByteMs - startMs);
    this.#addGaps(row, meter.gaps);
    const decodeMs = meter.lastEventMs - meter.firstEventMs;
    if (tokens > 1 && decodeMs > 0) this.#time(row, "perToken", decodeMs / (tokens - 1));
  }

  #addGaps(row: number, gaps: Float64Array): void {
    const at = row + rowFields.interToken;
    for (let i = 0; i < gaps.length; i += 1) {
      if (gaps[i] !== 0) this.#add(at + i, gaps[i]!);
    }
  }

  #time(row: number, name: keyof typeof requestHistograms, ms: number): void {
    observe(this.#values, row + rowFields[name], requestHistograms[name].buckets, ms / 1_000);
  }

  #add(field: number, count: number): void {
    this.#values[field] = this.#values[field]! + count;
  }

  #addRoute(route: string): RouteRows {
    const rows = { route: route.slice(0, routeCharsMax), byModel: [], outcomes: new Map() };
    this.#routes.set(route, rows);
    return rows;
  }

  #openRow({ route, byModel }: RouteRows, model: number): number {
    const { rows } = this.#memory;
    let row = rows.open([route, this.models.names[model]!]);
    if (row < 0) row = rows.open([route, otherLabel]);
    if (row < 0) row = rows.open([otherLabel, otherLabel]);
    byModel[model] = row;
    return row;
  }

  #outcomeRow(rows: RouteRows, model: number, outcome: number, status: number): number {
    const key = (model * outcomeCodes.length + outcome) * 1_000 + status;
    return rows.outcomes.get(key) ?? this.#openOutcome(rows, key, model, outcome, status);
  }

  #openOutcome(
    { route, outcomes: known }: RouteRows,
    key: number,
    model: number,
    outcome: number,
    status: number,
  ): number {
    const table = this.#memory.outcomes;
    const code = outcomeCodes[outcome]!;
    let row = table.open([route, this.models.names[model]!, code, String(status)]);
    if (row < 0) row = table.open([otherLabel, otherLabel, otherLabel, otherLabel]);
    known.set(key, row);
    return row;
  }
}

/** Of the prompt, by its bytes; 0 = nothing was sent to an engine. */
function estimatedTokens({ decodes, prefills }: RequestContext): number {
  return (decodes.at(-1) ?? prefills.at(-1))?.promptTokens ?? 0;
}

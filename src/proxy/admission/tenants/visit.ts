/**
 * One request of a tenant: what is taken of the tenant's limits before the body is read, before the request goes to
 * engines, and when it is over.
 */
import { endpointOf } from "../../../dialects/endpoints/find-endpoint.ts";
import type { OutputTokens } from "../../../estimates/output-tokens.ts";
import type { TokenRatio } from "../../../estimates/token-ratio.ts";
import {
  type Bucket,
  requestBucket,
  type TenantCounts,
  tokenBucket,
} from "../../../scoreboard/tenant-counts.ts";
import { type Outcome, outcomes } from "../../context/outcomes.ts";
import type { RequestContext } from "../../context/request-context.ts";
import type { RequestTenant } from "../../context/request-tenant.ts";
import { tokenCounts } from "../../context/token-counts.ts";
import { requestedModel } from "../../routing/models/requested-model.ts";
import { type LimitState, limitLines } from "./limit-lines.ts";
import {
  expectedOutput,
  isCutShort,
  observeOutput,
  outputBounds,
  unseenOutput,
} from "./output-estimate.ts";
import type { Tenant } from "./tenant.ts";

export interface VisitDeps {
  readonly counts: TenantCounts;
  /** Of all tenants' prompts, learned from what engines report. */
  readonly ratio: TokenRatio;
  /** Of all tenants' responses, likewise. */
  readonly output: OutputTokens;
}

/** Requests that change nothing and generate nothing, such as `/v1/models`, count for no limit. */
const uncounted: ReadonlySet<string> = new Set(["GET", "HEAD", "OPTIONS"]);

export class TenantVisit implements RequestTenant {
  refusal: Outcome | undefined;
  isPending = true;
  readonly #context: RequestContext;
  readonly #deps: VisitDeps;
  #tenant: Tenant | undefined;
  /** Where it counts as in flight; -1 = nowhere. */
  #slot = -1;
  #promptBytes = 0;
  /** Estimated. */
  #promptTokens = 0;
  /** Before the request went to engines. */
  #chargedTokens = 0;
  #isOver = false;

  constructor(context: RequestContext, deps: VisitDeps) {
    this.#context = context;
    this.#deps = deps;
  }

  get name(): string {
    return this.#tenant?.name ?? "";
  }
  get priority(): number | undefined {
    return this.#tenant?.limits.priority;
  }
  get weight(): number {
    return this.#tenant?.limits.weight ?? 1;
  }
  get countsTokens(): boolean {
    return this.#tenant?.limits.tokensPerMinute !== undefined;
  }

  /** It is known now whose it is, or why it is nobody's. */
  identified(result: Tenant | Outcome): void {
    this.isPending = false;
    if (this.#isOver) return;
    if ("code" in result) this.refusal = result;
    else {
      this.#tenant = result;
      this.refusal = this.#isCounted ? this.#admitHead(result) : undefined;
    }
  }

  mayUse(model: string): boolean {
    return this.#tenant?.mayUse(model) ?? true;
  }

  admitBody(generates: boolean, needsModel: boolean): Outcome | undefined {
    const tenant = this.#tenant;
    if (tenant === undefined) return undefined;
    const limitsModel = needsModel && this.#isCounted && tenant.limitsModels;
    if (limitsModel && !tenant.mayUse(requestedModel(this.#context)))
      return outcomes.modelForbidden;
    const { tokensPerMinute } = tenant.limits;
    const promptBytes = generates ? this.#context.body.length : 0;
    if (tokensPerMinute === undefined || promptBytes === 0) return undefined;
    const { ratio, output } = this.#deps;
    const prompt = Math.ceil(ratio.tokensOf(promptBytes));
    const expected = expectedOutput(outputBounds(this.#context), output);
    // No more than there is: what is clipped at the largest debt would be given back in full.
    const charged = Math.min(prompt + expected, tokensPerMinute);
    const waitMs = this.#take(tenant, tokenBucket, charged, tokensPerMinute);
    if (waitMs > 0) return this.#refuse(outcomes.tokenLimit, waitMs);
    this.#promptBytes = promptBytes;
    this.#promptTokens = prompt;
    this.#chargedTokens = charged;
    return undefined;
  }

  limitLines(): string {
    const tenant = this.#tenant;
    if (tenant === undefined || !this.#isCounted) return "";
    const { requestsPerMinute, tokensPerMinute } = tenant.limits;
    const states: LimitState[] = [];
    if (requestsPerMinute) states.push(this.#state(tenant, "requests", requestsPerMinute));
    if (tokensPerMinute) states.push(this.#state(tenant, "tokens", tokensPerMinute));
    if (states.length === 0) return "";
    const shape = endpointOf(this.#context.path)?.errors ?? "openai";
    return limitLines(states, shape, this.#wallMs);
  }

  ended(): void {
    this.#isOver = true;
    if (this.#slot >= 0) this.#deps.counts.leave(this.#slot);
    this.#slot = -1;
    const { name = "", limits, slot } = this.#tenant ?? {};
    if (name === "" || limits?.tokensPerMinute === undefined) return;
    const { prompt, output } = tokenCounts(this.#context);
    const { counts, ratio, output: learned } = this.#deps;
    const used =
      (prompt >= 0 ? prompt : this.#isServed ? this.#promptTokens : 0) +
      (output >= 0 ? output : this.#unseenOutput);
    const more = used - this.#chargedTokens;
    counts.charge(slot!, tokenBucket, more, limits.tokensPerMinute, this.#wallMs);
    if (prompt > 0) ratio.observe(this.#promptBytes, prompt);
    if (output > 0) observeOutput(this.#context, output, learned);
  }

  #admitHead({ limits, slot }: Tenant): Outcome | undefined {
    const { inFlightMax, requestsPerMinute } = limits;
    const { counts } = this.#deps;
    if (inFlightMax !== undefined) {
      this.#slot = counts.enter(slot, inFlightMax, this.#wallMs);
      if (this.#slot < 0) return this.#refuse(outcomes.inFlightLimit, 0);
    }
    if (requestsPerMinute === undefined) return undefined;
    const waitMs = counts.take(slot, requestBucket, 1, requestsPerMinute, this.#wallMs);
    return waitMs > 0 ? this.#refuse(outcomes.requestLimit, waitMs) : undefined;
  }

  #refuse(outcome: Outcome, waitMs: number): Outcome {
    this.#context.retryAfterMs = waitMs;
    return outcome;
  }

  #take({ slot }: Tenant, bucket: Bucket, count: number, perMinute: number): number {
    return this.#deps.counts.take(slot, bucket, count, perMinute, this.#wallMs);
  }

  #state({ slot }: Tenant, of: LimitState["of"], limit: number): LimitState {
    const bucket = of === "requests" ? requestBucket : tokenBucket;
    const { counts } = this.#deps;
    const left = counts.left(slot, bucket, limit, this.#wallMs);
    return { of, limit, left, fullInMs: counts.fullInMs(slot, bucket, this.#wallMs) };
  }

  get #isCounted(): boolean {
    return !uncounted.has(this.#context.head.method);
  }

  /** Whether engines have worked for it, as far as nobody has counted: a failure of theirs is not the tenant's. */
  get #isServed(): boolean {
    const { status, prefills, decodes } = this.#context;
    const isSent = prefills.length + decodes.length > 0;
    return isSent && (status < 400 || isCutShort(this.#context));
  }

  get #unseenOutput(): number {
    if (this.#promptTokens === 0) return 0;
    return unseenOutput(this.#context, outputBounds(this.#context), this.#deps.output);
  }

  get #wallMs(): number {
    return this.#context.sources.clock.wallMs();
  }
}

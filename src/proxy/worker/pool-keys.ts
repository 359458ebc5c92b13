/** What the policies and the queue of each pool read of a request, by the pool's templates. */
import { policyKeyTemplates } from "../../policies/create-policy.ts";
import type { Pool } from "../../pool/pool.ts";
import type { QueuePlace } from "../../queue/orderings/shared/ordering.ts";
import type { RequestContext } from "../context/request-context.ts";
import type { Render } from "../routing/render.ts";
import type { VariableScope } from "../routing/template.ts";

export class PoolKeys {
  readonly #scope: VariableScope;
  readonly #policies = new Map<Pool, Render>();
  readonly #shadows = new Map<Pool, Render>();
  readonly #queues = new Map<Pool, { readonly priority: Render; readonly tenant: Render }>();

  constructor(scope: VariableScope) {
    this.#scope = scope;
  }

  add(pool: Pool): void {
    const { policy, shadow, queue } = pool.config;
    this.#addPolicy(pool, policy, this.#policies);
    if (shadow !== undefined) this.#addPolicy(pool, shadow, this.#shadows);
    if (queue === undefined) return;
    const [priority, tenant] = [queue.priority, queue.tenant].map((text) =>
      this.#scope.compile(text),
    );
    this.#queues.set(pool, { priority: priority!, tenant: tenant! });
  }

  /** Of the pool's policy; "" = it has none. */
  policy(pool: Pool, context: RequestContext): string {
    return this.#policies.get(pool)?.(context) ?? "";
  }

  /** For the second policy that follows; undefined = it has no template. */
  shadow(pool: Pool, context: RequestContext): string | undefined {
    return this.#shadows.get(pool)?.(context);
  }

  /** What a tenant's own settings say goes before what the request says. */
  queue(pool: Pool, context: RequestContext): QueuePlace {
    const { tenant } = context;
    const templates = this.#queues.get(pool);
    const text = tenant?.priority === undefined ? (templates?.priority(context) ?? "") : "";
    return {
      priority: tenant?.priority ?? (/^-?\d{1,9}$/.test(text) ? Number(text) : 0),
      tenant: templates?.tenant(context) || (tenant?.name ?? ""),
      weight: tenant?.weight ?? 1,
    };
  }

  #addPolicy(
    pool: Pool,
    policy: Parameters<typeof policyKeyTemplates>[0],
    into: Map<Pool, Render>,
  ): void {
    const renders = policyKeyTemplates(policy).map(({ template }) => this.#scope.compile(template));
    if (renders.length > 0) into.set(pool, firstOf(renders));
  }
}

/** Renders the first of several templates that is not empty. */
function firstOf(renders: readonly Render[]): Render {
  return (context) => {
    for (const render of renders) {
      const text = render(context);
      if (text !== "") return text;
    }
    return "";
  };
}

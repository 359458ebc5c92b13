/** What `policy: predictive` stands for, and what amounts to it. Workers load this, and no schema. */
import type { Predictive } from "./predictive.ts";
import type { QueueConfig } from "./queue.ts";

/** A policy that picks at once, as opposed to the short form. */
export type PickPolicy<Policy> = Exclude<Policy, { readonly name: "predictive" }>;

interface WrittenPool<Policy> {
  readonly policy: Policy;
  readonly queue?: QueueConfig | undefined;
}

export type Expanded<Policy, Pool extends WrittenPool<Policy>> = Omit<Pool, "policy" | "queue"> & {
  readonly policy: PickPolicy<Policy>;
  readonly queue?: QueueConfig | undefined;
};

export function isShortForm<Policy extends { readonly name: string }>(
  policy: Policy,
): policy is Extract<Policy, { readonly name: "predictive" }> {
  return policy.name === "predictive";
}

/** What the short form stands for. A queue that is written beside it has no effect. */
export function expandShortForm<
  Policy extends { readonly name: string },
  Pool extends WrittenPool<Policy>,
>(pool: Pool): Expanded<Policy, Pool> {
  const { policy } = pool;
  if (!isShortForm(policy)) return pool as unknown as Expanded<Policy, Pool>;
  const written = policy as unknown as Predictive;
  const { name: _, queueMax: max, queueTimeoutMs: timeoutMs, ...options } = written;
  const { duplicateWeight, blocksMax } = options;
  const expanded = {
    policy: { name: "predicted_time", duplicateWeight, blocksMax },
    queue: { order: "shortest_prefill", max, timeoutMs, ...options },
  };
  return { ...pool, ...expanded } as unknown as Expanded<Policy, Pool>;
}

/** The short form that stands for the pool's policy and queue; undefined = they are not what one stands for. */
export function shortFormOf({
  policy,
  queue,
}: {
  readonly policy: object;
  readonly queue?: QueueConfig | undefined;
}): Predictive | undefined {
  if (queue?.order !== "shortest_prefill") return undefined;
  const { order: _, max: queueMax, timeoutMs: queueTimeoutMs, ...options } = queue;
  const { duplicateWeight, blocksMax } = options;
  const picks: Readonly<Record<string, unknown>> = { ...policy };
  if (picks["name"] !== "predicted_time") return undefined;
  if (picks["duplicateWeight"] !== duplicateWeight || picks["blocksMax"] !== blocksMax) {
    return undefined;
  }
  return { name: "predictive", queueMax, queueTimeoutMs, ...options };
}

/** Name of the pool's policy for operators: of the short form, if that is what the pool amounts to. */
export function policyLabel(pool: Parameters<typeof shortFormOf>[0]): string {
  const { name } = { name: "", ...pool.policy };
  return shortFormOf(pool)?.name ?? name;
}

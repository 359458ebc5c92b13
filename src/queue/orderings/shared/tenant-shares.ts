/**
 * How much prefill each tenant has had, so that none takes all of it: the Virtual Token Counter of Sheng et al.,
 * "Fairness in Serving Large Language Models" (OSDI 2024), in predicted ms of prefill in place of tokens. A tenant that
 * comes back from a pause begins where the least served one is: what it did not ask for is not saved up.
 */

/** Tenants that are remembered; the one that has waited for nothing longest goes first. */
const tenantsMax = 4_096;

interface Tenant {
  servedMs: number;
  /** Requests that wait. */
  waiting: number;
  /** Which of all adds was its last one. */
  addedAt: number;
}

export class TenantShares {
  readonly #tenants = new Map<string, Tenant>();
  /** Tenants with requests that wait. */
  #waiting = 0;
  /** What the least served of them has had; of none, what the last one had. */
  #leastMs = 0;
  #adds = 0;

  /** A prompt of the tenant begins to wait. */
  add(name: string): void {
    const known = this.#tenants.get(name);
    const tenant = known ?? { servedMs: 0, waiting: 0, addedAt: 0 };
    if (tenant.waiting === 0) {
      this.compare();
      tenant.servedMs = Math.max(tenant.servedMs, this.#leastMs);
      this.#waiting += 1;
    }
    tenant.waiting += 1;
    this.#adds += 1;
    tenant.addedAt = this.#adds;
    if (known === undefined) this.#tenants.set(name, tenant);
    if (this.#tenants.size > tenantsMax) this.#forget();
  }

  /**
   * It waits no longer.
   *
   * @param servedMs of prefill that it is given; 0 = it has left
   * @param weight of the tenant: of twice the others' it counts half
   */
  remove(name: string, servedMs: number, weight = 1): void {
    const tenant = this.#tenants.get(name);
    if (tenant === undefined) return;
    tenant.servedMs += servedMs / weight;
    tenant.waiting -= 1;
    if (tenant.waiting > 0) return;
    this.#waiting -= 1;
    if (this.#waiting === 0) this.#leastMs = tenant.servedMs;
  }

  /**
   * Finds out what the least served of those that wait has had; whether there are two at all. Before a pass over
   * `leadMs`.
   */
  compare(): boolean {
    if (this.#waiting === 0) return false;
    let leastMs = Number.POSITIVE_INFINITY;
    for (const { waiting, servedMs } of this.#tenants.values()) {
      if (waiting > 0 && servedMs < leastMs) leastMs = servedMs;
    }
    this.#leastMs = leastMs;
    return this.#waiting > 1;
  }

  /** By how much the tenant is ahead of the one that has had least. */
  leadMs(name: string): number {
    return Math.max(0, (this.#tenants.get(name)?.servedMs ?? 0) - this.#leastMs);
  }

  #forget(): void {
    let oldest: string | undefined;
    let addedAt = Number.POSITIVE_INFINITY;
    for (const [name, tenant] of this.#tenants) {
      if (tenant.waiting > 0 || tenant.addedAt > addedAt) continue;
      oldest = name;
      addedAt = tenant.addedAt;
    }
    if (oldest !== undefined) this.#tenants.delete(oldest);
  }
}

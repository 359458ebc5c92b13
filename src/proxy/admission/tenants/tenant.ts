/** A tenant as one worker knows it: its limits, and its place among what all workers count. */
import type { TenantConfig } from "../../../config/schema/tenants.ts";
import { type TenantSlot, tenantSlot } from "../../../scoreboard/tenant-counts.ts";

export class Tenant {
  readonly name: string;
  readonly limits: TenantConfig;
  readonly slot: TenantSlot;
  readonly #models: ReadonlySet<string> | undefined;
  /** Beginnings of names. */
  readonly #prefixes: readonly string[];

  constructor(name: string, limits: TenantConfig) {
    const { models } = limits;
    this.name = name;
    this.limits = limits;
    this.slot = tenantSlot(name);
    this.#models = models && new Set(models);
    this.#prefixes = (models ?? [])
      .filter((model) => model.endsWith("*"))
      .map((model) => model.slice(0, -1));
  }

  /** Whether it may use only some models. */
  get limitsModels(): boolean {
    return this.#models !== undefined;
  }

  mayUse(model: string): boolean {
    return (
      this.#models === undefined ||
      this.#models.has(model) ||
      this.#prefixes.some((prefix) => model.startsWith(prefix))
    );
  }
}

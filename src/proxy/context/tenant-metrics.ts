/** Counts requests and their tokens by tenant, when they have ended. Only so many tenants have a label of their own. */
import {
  type MetricsMemory,
  otherLabel,
  tenantFields,
} from "../../observe/metrics/metrics-memory.ts";
import type { RequestContext } from "./request-context.ts";
import { tokenCounts } from "./token-counts.ts";

export class TenantMetrics {
  /** Tenants with a label of their own. */
  max: number;
  readonly #memory: MetricsMemory;
  readonly #names: Set<string>;
  /** By tenant and outcome: where the row begins. */
  readonly #rows = new Map<string, Map<string, number>>();

  constructor(memory: MetricsMemory, max: number) {
    this.max = max;
    this.#memory = memory;
    // The worker before, if there was one, has named some.
    this.#names = new Set(memory.tenants.known.map(([tenant = ""]) => tenant));
    for (const shared of ["", otherLabel]) this.#names.delete(shared);
    // So that there is one when no other row is left.
    memory.tenants.open([otherLabel, otherLabel]);
  }

  /** To be called while the context has its meter and its members. A refused request's tenant is "". */
  ended(context: RequestContext): void {
    const row = this.#rowOf(this.#labelOf(context.tenant?.name ?? ""), context.outcome?.code ?? "");
    const { prompt, output } = tokenCounts(context);
    this.#add(row + tenantFields.requests, 1);
    this.#add(row + tenantFields.promptTokens, Math.max(0, prompt));
    this.#add(row + tenantFields.outputTokens, Math.max(0, output));
  }

  #labelOf(name: string): string {
    if (name === "" || this.#names.has(name)) return name;
    if (this.#names.size >= this.max) return otherLabel;
    this.#names.add(name);
    return name;
  }

  #rowOf(tenant: string, outcome: string): number {
    const rows = this.#rows.get(tenant) ?? new Map<string, number>();
    if (rows.size === 0) this.#rows.set(tenant, rows);
    return rows.get(outcome) ?? this.#open(rows, tenant, outcome);
  }

  #open(rows: Map<string, number>, tenant: string, outcome: string): number {
    const { tenants } = this.#memory;
    let row = tenants.open([tenant, outcome]);
    if (row < 0) row = tenants.open([otherLabel, otherLabel]);
    rows.set(outcome, row);
    return row;
  }

  #add(at: number, count: number): void {
    const { values } = this.#memory.tenants;
    values[at] = values[at]! + count;
  }
}

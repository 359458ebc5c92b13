/**
 * The smallest configuration files, with a prefill and a decode pool or with one for both, and what a test adds to
 * them.
 */
import type { Engine } from "./stack.ts";

interface PoolOfTest {
  readonly engines: readonly Pick<Engine, "url">[];
  readonly policy?: string;
  /** Further keys of the pool, each with a comma before it. */
  readonly pool?: string;
  /** Further keys of an engine, each with a comma before it. */
  readonly keys?: string | ((index: number) => string);
}

export interface PdConfig {
  readonly port: number;
  readonly prefill: PoolOfTest;
  readonly decode: PoolOfTest;
  /** Lines at the top level. */
  readonly top?: string;
  /** Further keys of the route, each with a comma before it. */
  readonly route?: string;
}

export function pdYaml({ port, prefill, decode, top = "", route = "" }: PdConfig): string {
  return `${top}
pools:
  prefill: ${pool(prefill, "length_balance")}
  decode: ${pool(decode, "least_conn")}
servers:
  - listen: [{ host: 127.0.0.1, port: ${port} }]
    routes: [{ match: { path: /v1 }, prefill: { pool: prefill }, target: { pool: decode }${route} }]
`;
}

/** Engines that prefill and decode themselves. */
export function plainYaml(config: { port: number; pool: PoolOfTest; top?: string }): string {
  const { port, pool: engines, top = "" } = config;
  return `${top}
pools:
  engines: ${pool(engines, "least_conn")}
servers:
  - listen: [{ host: 127.0.0.1, port: ${port} }]
    routes: [{ match: { path: /v1 }, dialect: plain, target: { pool: engines } }]
`;
}

function pool({ engines, policy, pool: more = "", keys = "" }: PoolOfTest, usual: string): string {
  const keysOf = typeof keys === "string" ? () => keys : keys;
  const list = engines.map(({ url }, index) => `{ url: "${url}"${keysOf(index)} }`);
  // On a slow machine engines are late that do nothing wrong, and then another one gets the request as well.
  const hasRule = /maxFails|failTimeoutMs|ejection/.test(list.join() + more);
  const ejection = hasRule ? "" : ", ejection: { lateMs: 0 }";
  return `{ policy: { name: ${policy ?? usual} }, engines: [${list.join()}]${more}${ejection} }`;
}

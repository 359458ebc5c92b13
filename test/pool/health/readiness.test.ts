/** One model of several without engines must not take the whole proxy out of its balancer. */
import { expect, test } from "vitest";
import { unfitPools } from "../../../src/pool/health/readiness.ts";
import type { Pool } from "../../../src/pool/pool.ts";

const pool = (name: string, isFit: boolean): Pool =>
  ({ name, engines: [{}], health: { isFit: () => isFit } }) as unknown as Pool;
const [prefill, decode, down] = [pool("prefill", true), pool("decode", true), pool("down", false)];
const fit = { prefillPool: prefill, targetPool: decode };
const lost = { prefillPool: prefill, targetPool: down };

test.each([
  ["all of a route's pools are needed", [[fit], [lost]], { needed: ["down"], spared: [] }],
  ["a route that serves another model", [[lost, fit]], { needed: [], spared: ["down"] }],
  ["no model has all of its legs", [[lost, lost]], { needed: ["down"], spared: [] }],
  ["needed by one route of two", [[fit, lost], [lost]], { needed: ["down"], spared: [] }],
  ["a route without pools", [[{ prefillPool: undefined, targetPool: undefined }], [fit]], none()],
  ["a pool without engines", [[{ ...fit, targetPool: empty() }]], { needed: ["none"], spared: [] }],
])("%s", (_, routes, expected) => {
  expect(unfitPools(routes, 0)).toEqual(expected);
});

function none() {
  return { needed: [], spared: [] };
}

function empty(): Pool {
  return { ...pool("none", true), engines: [] } as unknown as Pool;
}

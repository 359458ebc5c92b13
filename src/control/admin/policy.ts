/** Policies of a pool while the proxy runs: the one that decides, and the shadow that follows it. */
import { z } from "zod";
import { schemaFaults } from "../../config/check/schema-faults.ts";
import type { JsonSchema } from "../../config/schema/expected.ts";
import { type PolicyConfig, policySchema } from "../../config/schema/pool/policies.ts";
import { expandShortForm, shortFormOf } from "../../config/schema/pool/short-form.ts";
import type { Config, PoolConfig } from "../../config/schema/schema.ts";
import { maskConfig } from "../../config/values/secrets.ts";
import type { AdminSource } from "./admin-source.ts";
import { poolName } from "./engine-control.ts";
import { AdminError, readBody } from "./problem.ts";
import { change } from "./reconfigure.ts";
import { json } from "./response.ts";
import type { AdminCall, AdminRoute } from "./route.ts";
import { named } from "./schemas.ts";

const policyForm = z.looseObject({ name: z.string() });
const policyRequest = named(
  "PolicyRequest",
  z
    .union([z.string(), policyForm])
    .describe("As `policy` of a pool in the configuration: a name, or a name with options."),
);
const policyReport = named(
  "Policy",
  z.object({
    pool: z.string(),
    policy: policyForm.describe("That decides, with all its options."),
    queue: z.looseObject({}).optional().describe("Where requests wait, beside the policy."),
    shadow: policyForm.optional().describe("That follows, and decides nothing."),
    configured: z
      .object({
        policy: policyForm,
        queue: z.looseObject({}).optional(),
        shadow: policyForm.optional(),
      })
      .describe("What a reload goes back to, if the file has not changed."),
    replaced: policyForm.optional().describe("What was in its place before this request."),
  }),
);

const group = "configuration";
const policyPath = "/admin/pools/{pool}/policy";
const shadowPath = "/admin/pools/{pool}/shadow";
const responses = { 200: policyReport };
const errors = [400, 404, 409];

export const policyRoutes: readonly AdminRoute[] = [
  {
    group,
    method: "GET",
    path: policyPath,
    id: "getPolicy",
    summary: "The policy of a pool, and its shadow.",
    responses,
    errors: [404],
    respond: (call) => json(200, reportOf(call.source.config, call)),
  },
  {
    group,
    method: "PUT",
    path: policyPath,
    id: "setPolicy",
    summary: "Puts another policy in force until the next reload.",
    body: policyRequest,
    responses,
    errors,
    respond: (call) => setPolicy(call, readPolicy(call)),
  },
  {
    group,
    method: "DELETE",
    path: policyPath,
    id: "resetPolicy",
    summary: "Puts the configured policy in force again.",
    responses,
    errors: [404, 409],
    respond: (call) => setPolicy(call, undefined),
  },
  {
    group,
    method: "PUT",
    path: shadowPath,
    id: "setShadow",
    summary:
      "Lets a policy follow the pool as its shadow until the next reload. It counts from zero.",
    body: policyRequest,
    responses,
    errors,
    respond: (call) => setShadow(call, readPolicy(call)),
  },
  {
    group,
    method: "DELETE",
    path: shadowPath,
    id: "stopShadow",
    summary: "Stops the shadow of a pool until the next reload.",
    responses,
    errors: [404, 409],
    respond: (call) => setShadow(call, undefined),
  },
];

/** @param policy undefined = the configured one */
async function setPolicy(call: AdminCall, policy: PolicyConfig | undefined) {
  const { configuration } = call.source;
  return changePool(call, "policy", (pool, name) => {
    const written = configuration.written.pools[name];
    if (policy !== undefined) return withPolicy(pool, policy);
    if (written === undefined) return pool;
    return withQueue({ ...pool, policy: written.policy }, written.queue);
  });
}

/** @param shadow undefined = none */
async function setShadow(call: AdminCall, shadow: PolicyConfig | undefined) {
  return changePool(call, "shadow", ({ shadow: _, ...pool }) => ({
    ...pool,
    ...(shadow && { shadow: shadow as NonNullable<PoolConfig["shadow"]> }),
  }));
}

async function changePool(
  call: AdminCall,
  what: "policy" | "shadow",
  update: (pool: PoolConfig, name: string) => PoolConfig,
) {
  const name = poolName(call);
  const { [what]: replaced } = describe(call.source.config.pools[name]!);
  let changed = call.source.config;
  await change(call.source, (config) => {
    const pools = { ...config.pools, [name]: update(config.pools[name]!, name) };
    changed = { ...config, pools };
    return changed;
  });
  return json(200, { ...reportOf(changed, call), ...(replaced && { replaced }) });
}

/** A queue that belongs to a short form goes with it. */
function withPolicy(pool: PoolConfig, policy: PolicyConfig): PoolConfig {
  const queue = shortFormOf(pool) === undefined ? pool.queue : undefined;
  return expandShortForm<PolicyConfig, PoolConfig>(
    withQueue({ ...pool, policy: policy as PoolConfig["policy"] }, queue),
  ) as PoolConfig;
}

function withQueue({ queue: _, ...pool }: PoolConfig, queue: PoolConfig["queue"]): PoolConfig {
  return { ...pool, ...(queue && { queue }) };
}

/** Options as the configuration checks them; throws `AdminError`. */
function readPolicy(call: AdminCall): PolicyConfig {
  const body = readBody(policyRequest, call.body);
  const value = typeof body === "string" ? { name: body } : body;
  const read = policySchema.safeParse(value);
  const bad = (message: string) => new AdminError(400, "bad_request", message);
  if (!read.success) {
    const schema = z.toJSONSchema(policySchema, { io: "input" }) as JsonSchema;
    const faults = schemaFaults(read.error.issues, value, schema);
    throw bad(
      faults.map(({ message, hint }) => `${message}${hint ? ` (${hint})` : ""}`).join("; "),
    );
  }
  const policy = read.data;
  if (policy.name === "custom" && !modulesOf(call.source.config).has(policy.module)) {
    throw bad("a module must be named in the configuration first: its code would run here");
  }
  return policy;
}

function modulesOf({ pools }: Config): Set<string> {
  const policies = Object.values(pools).flatMap(({ policy, shadow }) => [policy, shadow]);
  return new Set(policies.flatMap((one) => (one?.name === "custom" ? one.module : [])));
}

function reportOf(config: Config, call: AdminCall): z.input<typeof policyReport> {
  const pool = poolName(call);
  const masked = (of: Config) => maskConfig(of).config.pools[pool];
  const { configuration }: AdminSource = call.source;
  return {
    pool,
    ...describe(masked(config)!),
    configured: describe(masked(configuration.written) ?? masked(config)!),
  };
}

/** In the short form where that is what the pool amounts to. */
function describe(pool: PoolConfig) {
  const { policy, queue, shadow } = pool;
  const short = shortFormOf(pool);
  return {
    policy: { ...(short ?? policy) },
    ...(queue && short === undefined && { queue: { ...queue } }),
    ...(shadow && { shadow: { ...shadow } }),
  };
}

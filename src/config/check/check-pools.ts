/** Checks of pools: their engines, policies and queues, and the addresses at which engines register. */
import { policyKeyTemplates, policyNeeds } from "../../policies/create-policy.ts";
import { placesPrompts } from "../../queue/orderings/registry.ts";
import type { ConfigPath, Faults } from "../problems/fault.ts";
import { didYouMean } from "../problems/suggest.ts";
import { isShortForm } from "../schema/pool/short-form.ts";
import type { PoolConfig } from "../schema/schema.ts";
import { parseHostAndPort } from "../values/engine-url.ts";
import { parseZmqAddress } from "../values/zmq-address.ts";
import { checkEngine } from "./check-engine.ts";
import { checkSources } from "./check-sources.ts";
import type { CheckContext } from "./context.ts";

export function checkPools(context: CheckContext): void {
  const { config, faults } = context;
  const filled = new Set(config.registrations.flatMap(({ prefill, decode }) => [prefill, decode]));
  for (const [name, pool] of Object.entries(config.pools)) {
    if (pool.engines.length === 0 && pool.sources.length === 0 && !filled.has(name)) {
      const hint = "list engines, or say where they come from (sources)";
      faults.emerg(["pools", name, "engines"], `pool "${name}" has no engines`, hint);
    }
    checkEngines(context, name, pool);
    checkSources(context, name, pool);
    checkPolicies(context, name, pool);
    checkUnused(context, name, pool);
  }
}

function checkEngines({ faults }: CheckContext, name: string, { engines }: PoolConfig): void {
  const seen = new Set<string>();
  engines.forEach((engine, index) => {
    const path = ["pools", name, "engines", index];
    const parsed = checkEngine(faults, path, engine);
    if (parsed === undefined) return;
    const keys = parsed.dpRanks.map((rank) => JSON.stringify([parsed.address, rank]));
    if (keys.some((key) => seen.has(key))) {
      faults.warn([...path, "url"], `pool "${name}" lists engine "${engine.url}" twice`);
    }
    for (const key of keys) seen.add(key);
  });
}

/** The pool's policy, its shadow, and the templates that order its queue. */
function checkPolicies(
  { faults, input, texts }: CheckContext,
  name: string,
  { policy, shadow, queue }: PoolConfig,
): void {
  const isQueue = shadow !== undefined && isShortForm(shadow);
  if (isQueue) {
    const hint = "predicted_time uses the same score and decides at once";
    faults.emerg(["pools", name, "shadow"], "predictive queues prompts, a shadow cannot", hint);
  }
  // The short form is no policy: it has no definition to ask.
  for (const [key, one] of Object.entries({ policy, ...(shadow && !isQueue && { shadow }) })) {
    for (const { option, template } of policyKeyTemplates(one)) {
      texts.template(["pools", name, key, option], template);
    }
  }
  if (queue === undefined) return;
  const written = input?.pools?.[name]?.policy;
  const key = written !== undefined && isShortForm(written) ? "policy" : "queue";
  texts.template(["pools", name, key, "priority"], queue.priority);
  texts.template(["pools", name, key, "tenant"], queue.tenant);
}

/** Keys that have no effect in their pool. */
function checkUnused(
  { faults, input }: CheckContext,
  name: string,
  { engines, policy, kvEvents, tokenize, queue, ejection }: PoolConfig,
): void {
  const written = input?.pools?.[name];
  written?.engines?.forEach(({ maxFails, failTimeoutMs }, index) => {
    if (ejection.rule === "max_fails" || (maxFails ?? failTimeoutMs) === undefined) return;
    const key = maxFails === undefined ? "failTimeoutMs" : "maxFails";
    const message = `${key} has no effect with the ejection rule outlier`;
    faults.warn(["pools", name, "engines", index, key], message);
  });
  const places = queue !== undefined && placesPrompts(queue.order);
  const usesCaches = places || policy.name === "custom" || policyNeeds(policy).blocks;
  if (kvEvents?.listen !== undefined)
    checkKvListen(faults, kvEvents.listen, ["pools", name, "kvEvents", "listen"]);
  if (kvEvents !== undefined && !tokenize) {
    const hint = "add tokenize: true";
    faults.warn(["pools", name, "kvEvents"], "kvEvents has no effect without tokenize", hint);
  } else if (kvEvents !== undefined && !usesCaches) {
    const message = `kvEvents has no effect: policy ${policy.name} does not use prefix caches`;
    faults.warn(["pools", name, "kvEvents"], message);
  }
  if (written?.queue !== undefined && written.policy && isShortForm(written.policy)) {
    const message = "queue has no effect: policy predictive has its own queue (queueMax)";
    faults.warn(["pools", name, "queue"], message);
  } else if (queue !== undefined && !places && engines.some(({ maxConns }) => maxConns === 0)) {
    const message = "queue has no effect: an engine without maxConns takes every request";
    faults.warn(["pools", name, "queue"], message);
  }
}

function checkKvListen(faults: Faults, listen: string, path: ConfigPath): void {
  if (parseZmqAddress(listen) !== undefined) return;
  faults.emerg(path, `invalid address "${listen}" for KV events`, "write tcp://*:5557");
}

export function checkRegistrations({ config, faults }: CheckContext): void {
  const seen = new Set<string>();
  const pools = Object.keys(config.pools);
  config.registrations.forEach(({ zmq, prefill, decode }, index) => {
    const path = ["registrations", index];
    const [, authority] = /^tcp:\/\/([^/]*)$/.exec(zmq) ?? [];
    const parsed = authority === undefined ? undefined : parseHostAndPort(authority, 0);
    if (parsed === undefined || "problem" in parsed || parsed.port === 0) {
      faults.emerg([...path, "zmq"], `invalid address "${zmq}"`, "write tcp://0.0.0.0:30001");
    }
    if (seen.has(zmq)) faults.emerg([...path, "zmq"], `duplicate address "${zmq}"`);
    seen.add(zmq);
    for (const [leg, name] of Object.entries({ prefill, decode })) {
      if (Object.hasOwn(config.pools, name)) continue;
      faults.emerg([...path, leg], `unknown pool "${name}"`, didYouMean(name, pools));
    }
  });
}

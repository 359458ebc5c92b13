/** Replays a trace in virtual time: the proxy's own policies, queue and scoreboard against modelled engines. */

import { policyNames, type Role } from "../config/schema/pool/policy-text.ts";
import { policyNamed } from "../policies/registry.ts";
import { isRequired } from "../policies/shared/define-policy.ts";
import { policyOf } from "./custom-policies.ts";
import { Fleet, type FleetOptions, type Outcome } from "./model/fleet.ts";
import { Timeline } from "./model/timeline.ts";
import { queued, splitQueue } from "./peer-queue.ts";
import { dispatched, enqueued, pickOf, poolMaker } from "./placement.ts";
import type { TraceRequest } from "./traces/trace.ts";

export interface ReplayOptions extends FleetOptions {
  readonly trace: readonly TraceRequest[];
  /** Arrivals come so many times as fast as in the trace. */
  readonly scale: number;
  /** A policy's name, with its options, and a peer's queue before it (`dynamo+dynamo_fcfs`). */
  readonly prefillPolicy: string;
  readonly decodePolicy: string;
}

export function replay(options: ReplayOptions): Outcome[] {
  const { trace, scale, random } = options;
  const timeline = new Timeline();
  const fleet = new Fleet(timeline, options);
  const poolOf = poolMaker(options.prefill + options.decode, random);
  const poolFor = (role: Role, name: string) => poolOf(role, options[role], policyOf(name, role));
  const [policy, queue] = splitQueue(options.prefillPolicy);
  const prefill = poolFor("prefill", policy);
  const place = prefill.placesPrompts ? enqueued : dispatched;
  const placed = place(prefill, fleet, timeline);
  const placement = queue === undefined ? placed : queued(queue, prefill, fleet, placed);
  const decode = poolFor("decode", options.decodePolicy);
  const outcomes = trace.map((request) => ({
    request,
    arrivedMs: request.arrivalMs / scale,
    firstTokenMs: -1,
    doneMs: -1,
    cachedTokens: 0,
    prefillEngine: -1,
  }));
  for (const outcome of outcomes) {
    timeline.at(outcome.arrivedMs, () => {
      placement.arrive(outcome, () => {
        const placed = decode.place(pickOf(outcome.request, timeline), [], timeline.nowMs);
        if (typeof placed === "string") return;
        const { engine, lease } = placed;
        const progressed = (tokens: number) => lease.addResponseTokens(tokens);
        fleet.decode(engine.index, outcome, progressed, () => lease.close());
      });
    });
  }
  timeline.run();
  return outcomes;
}

/** Names of what a prefill can be placed by, in a trace that says nothing of clients or keys. */
export const prefillPolicyNames: readonly string[] = [
  ...policyNames.filter((name) => {
    const { needs = {}, options = {} } = policyNamed(name) ?? {};
    const needsClient = typeof needs === "object" && needs.clientAddress === true;
    return name !== "custom" && !needsClient && !Object.values(options).some(isRequired);
  }),
];

/** Loads operators' own policies for the lab. */
import { resolve } from "node:path";
import type { PolicyConfig } from "../config/schema/pool/policies.ts";
import { parsePolicy, type Role } from "../config/schema/pool/policy-text.ts";
import { loadPolicyModule } from "../policies/custom-policy.ts";
import { CustomPolicyFault } from "./custom-policy-fault.ts";
import { splitQueue } from "./peer-queue.ts";

/** The policy that a text names, with the whole path of its module. */
export function policyOf(text: string, role: Role): PolicyConfig {
  const read = parsePolicy(text, role);
  if ("problem" in read) throw new Error(read.problem);
  const { policy } = read;
  return "module" in policy ? { ...policy, module: resolve(policy.module) } : policy;
}

/** @param texts of policies, with a queue before them or without */
export async function loadCustomPolicies(texts: readonly string[]): Promise<void> {
  for (const text of texts) {
    const policy = policyOf(splitQueue(text)[0], "prefill");
    if (!("module" in policy)) continue;
    const { fault } = await loadPolicyModule(policy.module);
    if (fault !== undefined) {
      throw new CustomPolicyFault(`policy module "${policy.module}" ${fault}`);
    }
  }
}

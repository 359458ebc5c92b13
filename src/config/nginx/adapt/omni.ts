/** `omni_proxy` in a location → prefill, dialect, and the policies of both upstreams. */
import { type DialectName, dialects } from "../../../dialects/registry.ts";
import type { Block } from "../directives/block.ts";
import type { RouteInput } from "../directives/http/location.ts";
import {
  omniAlgo,
  omniDecodeMaxNumSeqs,
  omniMaxBatchNumToken,
  omniPdPolicy,
  omniPrefillMaxNumSeqs,
  omniPrefillUpstream,
  omniProxy,
} from "../directives/proxy/omni.ts";
import { pdDialect } from "../directives/proxy/prefill.ts";
import type { Report } from "../syntax/report.ts";
import type { Pools } from "./pools.ts";

/** What `omni_proxy_pd_policy` means for the engines: the dialect that speaks to them so. */
const dialectOfPdPolicy = {
  sequential: "omni",
  parallel: "sglang",
  aggregation: "plain",
} as const satisfies Record<string, DialectName>;

/** What it adds to the location's route beside the target; nothing if there is no `omni_proxy`. */
export function readOmni(block: Block, pools: Pools, report: Report): Partial<RouteInput> {
  const [entry] = block.responding(omniProxy);
  if (entry === undefined) return {};
  const [batchTokens] = block.responding(omniMaxBatchNumToken);
  const [prefillSeqs] = block.responding(omniPrefillMaxNumSeqs);
  const [decodeSeqs] = block.responding(omniDecodeMaxNumSeqs);
  pools.usePolicy(entry.value.text, {
    name: "omni_proxy",
    role: "decode",
    ...(decodeSeqs && { maxNumSeqs: decodeSeqs.value }),
  });
  const [pdPolicy] = block.responding(omniPdPolicy);
  const dialectName = dialectOfPdPolicy[pdPolicy?.value ?? "sequential"];
  if (dialects.get(dialectName)?.servesWhole) return { dialect: dialectName };
  const prefill = pools.upstreamNamed(omniPrefillUpstream);
  if (prefill === undefined) {
    const message = `"omni_proxy" needs an upstream "${omniPrefillUpstream}"`;
    report.emerg(entry.node.name.position, message);
    return {};
  }
  pools.usePolicy(prefill, {
    name: "omni_proxy",
    role: "prefill",
    algo: block.responding(omniAlgo)[0]?.value ?? "default",
    ...(batchTokens && { maxBatchNumToken: batchTokens.value }),
    ...(prefillSeqs && { maxNumSeqs: prefillSeqs.value }),
  });
  const dialect = block.value(pdDialect, dialectName);
  return { prefill: { pool: prefill }, dialect };
}

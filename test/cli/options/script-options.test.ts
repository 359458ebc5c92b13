/** Command lines of the original's scripts come over as they are, as far as their options have a meaning here. */
import { expect, it } from "vitest";
import { readFlags } from "../../../src/cli/options/flag-options.ts";
import { parseFlags } from "../../../src/config/flags/parse-flags.ts";

const globalProxy =
  "--core-num 4 --listen-port 8081 --prefill-servers-list 10.0.0.1:8100,10.0.0.2:8100 --decode-servers-list=10.0.0.3:8200 --prefill-lb-sdk pd_score_balance --decode-lb-sdk pd_score_balance --prefill-max-num-seqs 16 --decode-max-num-seqs 32 --log-level warn --access-log-file stdout";
const omniProxy =
  "--listen-port 7150 --prefill-endpoints 10.0.0.1:9001 --decode-endpoints 10.0.0.2:9001 --prefill-lb-sdk omni_proxy --decode-lb-sdk omni_proxy --omni-proxy-prefill-max-num-seqs 8 --omni-proxy-decode-max-num-seqs 64";

it.each([
  [globalProxy, "pd_score_balance", 16, 32],
  [omniProxy, "omni_proxy", 8, 64],
])("%s", (line, name, prefillSeqs, decodeSeqs) => {
  const flags = readFlags(line.split(" "));
  if ("error" in flags) throw new Error(flags.error);
  const read = parseFlags(flags);
  if ("errors" in read) throw new Error(JSON.stringify(read.errors));
  expect(read.config.pools).toMatchObject({
    prefill: { policy: { name, role: "prefill", maxNumSeqs: prefillSeqs } },
    decode: { policy: { name, role: "decode", maxNumSeqs: decodeSeqs } },
  });
});

it("leaves values alone that look like such an option", () => {
  expect(readFlags(["--access-log", "./--core-num", "--workers=2"])).toMatchObject({
    accessLog: "./--core-num",
    workers: "2",
  });
});

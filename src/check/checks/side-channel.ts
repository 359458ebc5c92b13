/**
 * `side-channel`: where a NIXL prefill engine tells decode engines to fetch KV caches, by its own response. The check
 * does here by hand what the proxy does; decode fetches the KV cache, so that nothing stays.
 */
import { isFailure } from "../../control/polling/request-once.ts";
import type { Check, CheckContext, CheckedEngine } from "../context.ts";
import { checkPrompt } from "../prompts.ts";
import { jsonOf } from "../responses.ts";

interface Params {
  readonly remote_host?: unknown;
  readonly remote_port?: unknown;
}

export const sideChannel: Check = {
  name: "side-channel",
  needs: "proxy",
  async run(context) {
    if (context.dialect !== "vllm-nixl") return;
    const prefills = new Map(context.pairs.map(({ prefill, decode }) => [prefill!, decode]));
    for (const [prefill, decode] of prefills) await lookAt(context, prefill, decode);
  },
};

async function lookAt(
  context: CheckContext,
  prefill: CheckedEngine,
  decode: CheckedEngine,
): Promise<void> {
  const path = "/v1/completions";
  const prompt = checkPrompt(context);
  const json = { model: context.model, prompt, max_tokens: 1, temperature: 0 };
  const hold = { do_remote_decode: true, do_remote_prefill: false };
  const held = await context.ask(prefill.engine.address, {
    path,
    json: { ...json, kv_transfer_params: hold },
  });
  const body = isFailure(held) ? undefined : (jsonOf(held.body) as { kv_transfer_params?: Params });
  const params = body?.kv_transfer_params;
  // `transfer` has said what is wrong then.
  if (params === undefined || params === null) return;
  const fetching = { path, json: { ...json, kv_transfer_params: params } };
  await context.ask(decode.engine.address, fetching);
  const { remote_host: host, remote_port: port } = params;
  if (typeof host !== "string" || prefill.facts === undefined) return;
  // What is told counts more than what it was started with: advice goes by it.
  const { connector = "NixlConnector" } = prefill.facts;
  prefill.facts = { ...prefill.facts, connector, sideChannelHost: host };
  const message = `it tells decode engines to fetch KV caches from ${host}:${port}`;
  context.report("ok", "side-channel.told", prefill, message, { data: { host, port } });
}

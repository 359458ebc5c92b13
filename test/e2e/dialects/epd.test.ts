/** Encode engines before prefill and decode, and before engines that do both, with real processes. */
import { testFleet } from "../../support/dialect-suite.ts";
import type { FleetRequest } from "../../support/fleet.ts";

/** Chats of none to five images, of which some stand in many requests. */
const chats: readonly FleetRequest[] = Array.from({ length: 8 }, (_, index) => {
  const item = (url: string) => ({ type: "image_url", image_url: { url } });
  const own = Array.from({ length: index % 4 }, (__, i) => item(`data:%n,${i},${"A".repeat(600)}`));
  const common = index > 4 ? [item("http://images/logo.png"), item("http://images/logo.png")] : [];
  const text = { type: "text", text: "what is on picture %n? ".repeat(5 + 5 * index) };
  return {
    path: "/v1/chat/completions",
    body: {
      messages: [
        { role: "system", content: "be short" },
        { role: "user", content: [text, ...own, ...common] },
      ],
      max_tokens: 40 - 4 * index,
      stream: index !== 6,
    },
  };
});

// In the folder of the test, from which engines are started. It outlives its engines, as shared storage does.
const shared = "shared:path=ec";
/** The decode engine takes the KV cache, and needs no image. */
const ecSwitches =
  (how: string) =>
  ({ role }: { role: string }) =>
    role === "decode" ? [] : ["--ec-transfer", how];

const phases = ["encode", "prefill", "before-first-token", "mid-decode"] as const;

testFleet({
  name: "encode, prefill and decode with embeddings in shared storage",
  dialect: "omni",
  engines: { encode: 2, prefill: 2, decode: 2 },
  switches: ecSwitches(shared),
  requests: chats,
  abortPhases: phases,
  // The KV cache dies with its prefill engine; the embeddings stay.
  recomputedAfterKills: ["fetch_failed", "unknown"],
  killed: "retried",
});

testFleet({
  name: "encode, prefill and decode with embeddings that are pulled",
  dialect: "vllm-nixl",
  engines: { encode: 2, prefill: 2, decode: 2 },
  switches: ecSwitches("pull"),
  requests: chats,
  route: ", retry: { on: [error, timeout, http_500] }",
  abortPhases: phases,
  // An embedding dies with its encoder, and is made again where the prompt is computed.
  recomputedAfterKills: ["no_embedding"],
  // vLLM fails a request whose KV is gone with its engine, a stream after its status.
  killed: "error",
});

testFleet({
  name: "encode engines before engines that prefill and decode",
  dialect: "plain",
  engineDialect: "vllm-nixl",
  engines: { encode: 2, mixed: 2 },
  switches: ecSwitches("pull"),
  requests: chats,
  handsOver: 0,
  abortPhases: ["encode", "before-first-token", "mid-decode"],
  recomputedAfterKills: ["no_embedding"],
  killed: "retried",
});

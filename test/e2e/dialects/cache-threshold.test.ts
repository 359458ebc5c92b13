/** cache-threshold with real processes: prompts that decode has, and prompts that it gives back. */
import { testFleet, usualRequests } from "../../support/dialect-suite.ts";

const known = { prompt: "What everybody asks. ".repeat(40), max_tokens: 30 };
const messages = [{ role: "user", content: known.prompt }];

testFleet({
  name: "cache-threshold",
  dialect: "cache-threshold",
  engineDialect: "cache-threshold:path=kv",
  requests: [
    ...usualRequests,
    { path: "/v1/completions", body: { ...known, stream: true } },
    { path: "/v1/chat/completions", body: { messages, max_tokens: 30, stream: true, n: 2 } },
  ],
  // Two of ten prompts are there from the first time on.
  handsOver: 0.75,
  killed: "retried",
});

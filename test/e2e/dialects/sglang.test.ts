/** sglang with real processes. */
import { testFleet, usualRequests } from "../../support/dialect-suite.ts";

const prompts = ["One of %n, ".repeat(20), "two of %n, ".repeat(30)];
const messages = [{ role: "user", content: "Answers of %n. ".repeat(20) }];

testFleet({
  name: "sglang",
  dialect: "sglang",
  attributes: ({ role, sidePort }): Record<string, string> =>
    role === "prefill" ? { bootstrap_port: `${sidePort}` } : {},
  requests: [
    ...usualRequests,
    { path: "/v1/completions", body: { prompt: prompts, max_tokens: 20, stream: true } },
    { path: "/v1/chat/completions", body: { messages, max_tokens: 20, n: 2 } },
  ],
  // A decode whose prefill engine has died, or a prefill whose decode has, may say so itself before its connection
  // ends.
  route: ", retry: { on: [error, timeout, http_500] }",
  killed: "error",
});

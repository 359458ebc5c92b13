/** No KV transfer: each request is served by one engine, from its prompt to its last token. */
import { defineDialect } from "./dialect.ts";

export const plain = defineDialect({
  name: "plain",
  summary: "no KV transfer: each engine serves whole requests",
  page: "plain",
  transferFields: [],
  overview: { prefill: "–", decode: "the client's body", idsFrom: "nobody" },
  order: "prefill-first",
  servesWhole: true,
  supports: () => false,
  strip: () => {},
  beginTransfer: () => {
    throw new Error("engines of the dialect plain have no KV cache to transfer");
  },
});

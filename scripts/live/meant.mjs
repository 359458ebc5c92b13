/**
 * Differences between an engine and the proxy in front that are meant, each with its reason. `what` matches a line of
 * `compare`, `request` the request's title, `form` the engines' form; what is left out matches all.
 */
export const meantDifferences = [
  {
    what: /^header vary: Origin directly, undefined/,
    reason:
      "Lists of models, and rejections that the proxy makes itself, do not depend on the client's origin.",
  },
  {
    what: /^header server: uvicorn directly, global-proxy/,
    reason: "What the proxy says itself, it says in its own name.",
  },
  {
    form: /nixl|shared-storage|mooncake/,
    request: /no JSON|no body|an array|another type/,
    what: /^(status|body)/,
    reason:
      "With two engines the proxy itself rejects a body that is no JSON object: it could not split it.",
  },
  {
    form: /nixl|shared-storage|mooncake/,
    request: /regex that is none, streamed/,
    what: /^(status|header content-type|body)/,
    reason:
      "A stream's grammar is found wrong by the prefill, before the stream begins: 400, not an event in a 200.",
  },
];

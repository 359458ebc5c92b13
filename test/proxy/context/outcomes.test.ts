/** A client can tell from an error what happened, by a code that stays, in the shape that OpenAI's clients read. */
import { describe, expect, it } from "vitest";
import { type Outcome, outcomes } from "../../../src/proxy/context/outcomes.ts";
import { refused } from "../../../src/proxy/context/refused.ts";
import { wholeRequestOutcomes } from "../../../src/proxy/context/whole-request-outcomes.ts";
import { errorBody } from "../../../src/proxy/response/local/error-body.ts";

const all = Object.entries(outcomes) as [string, Outcome][];

describe("the table", () => {
  it("is closed: neither it nor an outcome can be changed", () => {
    expect(Object.isFrozen(outcomes)).toBe(true);
    for (const [, outcome] of all) expect(Object.isFrozen(outcome)).toBe(true);
  });

  it("has one code for each outcome, of one form", () => {
    const codes = all.map(([, { code }]) => code);
    expect(new Set(codes).size).toBe(codes.length);
    for (const code of codes) expect(code).toMatch(/^GP_[A-Z]+(?:_[A-Z]+)*$/);
  });

  it("blames nobody for a response, and somebody for each error", () => {
    for (const [name, { fault, status }] of all) {
      if (status >= 400) expect(fault, name).not.toBe("none");
      if (status >= 400 && status < 500) expect(fault, name).toBe("client");
      if (status >= 500) expect(fault, name).not.toBe("client");
    }
  });

  it("gives a message to each error, which names no engine and quotes no prompt", () => {
    for (const [name, { message, status }] of all) {
      if (status >= 400) expect(message, name).toMatch(/^[A-Z][a-zA-Z ',;-]+\.$/);
    }
  });

  it("allows a retry of what no engine has seen, and of nothing that would fail again", () => {
    const retryOf = (...names: (keyof typeof outcomes)[]) =>
      new Set(names.map((name) => outcomes[name].retry));
    expect(retryOf("noPrefillEngine", "noDecodeEngine", "prefillFull", "decodeFull")).toEqual(
      new Set(["safe"]),
    );
    expect(retryOf("draining", "bodiesFull")).toEqual(new Set(["safe"]));
    expect(retryOf("bodyTooLarge", "badPath", "noRoute", "badChunk")).toEqual(new Set(["no"]));
    expect(retryOf("decodeFailed", "decodeTimeout", "truncated")).toEqual(
      new Set(["may-repeat-work"]),
    );
  });
});

it("engines that serve whole requests fail under decode's codes, and are not called decode engines", () => {
  const codes = new Set(all.map(([, { code }]) => code));
  for (const outcome of Object.values(wholeRequestOutcomes)) {
    expect(codes).toContain(outcome.code);
    expect(outcome.message).not.toMatch(/decode|prefill|dialect/i);
  }
});

describe("an error body", () => {
  it.each(all.filter(([, { status }]) => status >= 400))(
    "of %s has OpenAI's shape",
    (_, outcome) => {
      const { error, ...rest } = JSON.parse(errorBody(outcome, outcome.status).toString("utf8"));
      expect(rest).toEqual({});
      expect(error).toEqual({
        message: outcome.message,
        type: expect.stringMatching(/^[a-z_]+_error$/),
        param: outcome.asOpenAi?.param ?? null,
        code: outcome.asOpenAi?.code ?? outcome.code,
      });
    },
  );

  it.each([
    [400, "invalid_request_error"],
    [404, "not_found_error"],
    [408, "timeout_error"],
    [413, "invalid_request_error"],
    [429, "rate_limit_error"],
    [431, "invalid_request_error"],
    [500, "api_error"],
    [502, "api_error"],
    [503, "overloaded_error"],
    [504, "timeout_error"],
  ])("of status %i is of type %s", (status, type) => {
    const { error } = JSON.parse(errorBody(outcomes.internal, status).toString("utf8"));
    expect(error.type).toBe(type);
  });

  it("is JSON whatever the message holds", () => {
    const message = 'quote " backslash \\ line\nend \u4f60';
    const body = errorBody(refused(400, "GP_BAD_JSON", message), 400);
    expect(JSON.parse(body.toString("utf8")).error.message).toBe(message);
  });
});

it("a request that cannot be parsed is the client's fault and not to be repeated", () => {
  expect(refused(431, "GP_HEAD_TOO_LARGE", "m")).toEqual({
    code: "GP_HEAD_TOO_LARGE",
    status: 431,
    fault: "client",
    retry: "no",
    message: "m",
  });
});

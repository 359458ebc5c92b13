/** What an engine reads is one request, whatever the client, the configuration or a variable put into its head. */
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import type { LegName } from "../../../src/dialects/dialect.ts";
import { FIELD_NAMES, LAST_HOP_BY_HOP_ID } from "../../../src/http1/fields/field-ids.ts";
import { parseRequestHead, RequestHead } from "../../../src/http1/head/request-head.ts";
import { HeadPlan } from "../../../src/proxy/routing/head-plan.ts";
import { VariableScope } from "../../../src/proxy/routing/template.ts";
import { contextOf, request } from "./contexts.ts";

interface Options {
  readonly set?: Readonly<Record<string, string>>;
  readonly leg?: LegName;
  readonly id?: string;
  readonly bytes?: number;
  readonly path?: string;
  readonly guards?: boolean;
}

function headOf(text: string, options: Options = {}): string {
  const { set = {}, leg = "decode", id = "", bytes = 0, path } = options;
  const plan = new HeadPlan(set, new VariableScope(), options.guards ?? false);
  const context = contextOf(text);
  if (path !== undefined) context.path = path;
  return plan.render(context, leg === "prefill", "/v1/x?y=z", "10.0.0.1:8000", id, bytes);
}

const linesOf = (text: string, options?: Options) =>
  headOf(text, options).split("\r\n").slice(1, -2);

describe("of the client's lines", () => {
  const text = request(
    "/",
    "X-A: 1",
    "aCCept:  */*",
    "X-B: 2",
    "X-A: 3",
    "Authorization: Bearer t",
  );

  it("all that are end to end go on, byte for byte and in their order", () => {
    expect(linesOf(text)).toEqual([
      "Host: 10.0.0.1:8000",
      "X-A: 1",
      "aCCept:  */*",
      "X-B: 2",
      "X-A: 3",
      "Authorization: Bearer t",
    ]);
  });

  it("none of one hop goes on, nor what Connection names", () => {
    const hop = FIELD_NAMES.slice(1, LAST_HOP_BY_HOP_ID + 1)
      .filter((name) => name !== "transfer-encoding" && name !== "connection")
      .map((name) => `${name}: x`);
    const lines = linesOf(
      request("/", ...hop, "Connection: close, X-Mine", "X-Mine: 1", "Transfer-Encoding: chunked"),
      { bytes: 5 },
    );
    expect(lines).toEqual(["Host: 10.0.0.1:8000", "Content-Length: 5"]);
  });

  it("Accept-Encoding goes to decode and not to prefill, whose response has to be read", () => {
    const text = request("/", "Accept-Encoding: gzip");
    const set = { "accept-encoding": "br" };
    expect(linesOf(text)).toContain("Accept-Encoding: gzip");
    expect(linesOf(text, { set })).toContain("accept-encoding: br");
    for (const options of [{}, { set }, { id: "i" }]) {
      expect(headOf(text, { ...options, leg: "prefill" })).not.toMatch(/accept-encoding/i);
    }
  });
});

describe("a header that the route sets", () => {
  it("stands once, in place of the client's, in any letter case", () => {
    const text = request("/", "x-a: client", "X-A: again", "X-B: client");
    const lines = linesOf(text, { set: { "X-A": "route", "x-b": "$http_x_b!" } });
    expect(lines).toEqual(["Host: 10.0.0.1:8000", "X-A: route", "x-b: client!"]);
  });

  it("removes the client's when its value is empty", () => {
    const lines = linesOf(request("/", "X-A: client"), { set: { "X-A": "$http_none" } });
    expect(lines).toEqual(["Host: 10.0.0.1:8000"]);
  });

  it("counts by its last spelling when it is written in two", () => {
    const lines = linesOf(request("/"), {
      set: { Host: "one", host: "two", "x-a": "1", "X-A": "" },
    });
    expect(lines).toEqual(["host: two"]);
  });

  it("cannot touch the framing or the hop", () => {
    const set = Object.fromEntries(
      "Content-Length Transfer-Encoding Connection Keep-Alive Proxy-Connection TE Trailer Upgrade Expect"
        .split(" ")
        .map((name) => [name, "evil"]),
    );
    expect(linesOf(request("/", "Content-Length: 3"), { set, bytes: 3 })).toEqual([
      "Host: 10.0.0.1:8000",
      "Content-Length: 3",
    ]);
  });

  it("has the bytes of the configuration's UTF-8", () => {
    const [, line] = linesOf(request("/"), { set: { "X-A": "\u00e9\u4f60" } });
    expect(Buffer.from(line!, "latin1").toString("utf8")).toBe("X-A: \u00e9\u4f60");
  });
});

describe("a line", () => {
  it.each([
    ["\u010d\u010aEvil: 1", "X-A: \u010d\u010aEvil: 1"],
    ["a\r\nEvil: 1", "X-A: a Evil: 1"],
    ["a\0b\n\n\rc", "X-A: a b c"],
    ["\u4f60\u{1f600}", "X-A: \u4f60\u{1f600}"],
  ])("cannot be ended by a value (%j)", (path, line) => {
    const head = headOf(request("/"), { set: { "X-A": "$uri" }, path });
    expect(Buffer.from(head, "latin1").toString("utf8").split("\r\n")).toEqual([
      "GET /v1/x?y=z HTTP/1.1",
      "Host: 10.0.0.1:8000",
      line,
      "",
      "",
    ]);
  });
});

describe("X-Request-Id", () => {
  const own = request("/", "X-Request-Id: a", "x-request-id: b");
  const none = request("/");
  const idsOf = (text: string, options: Options) =>
    linesOf(text, options).filter((line) => /^x-request-id:/i.test(line));

  it("stands once when the proxy gives it, whatever the client sent", () => {
    for (const leg of ["prefill", "decode"] as const) {
      for (const text of [own, none]) {
        expect(idsOf(text, { id: "given", leg })).toEqual(["X-Request-Id: given"]);
      }
    }
  });

  it("is the client's own when the proxy gives none", () => {
    expect(idsOf(own, {})).toEqual(["X-Request-Id: a", "x-request-id: b"]);
    expect(idsOf(none, {})).toEqual([]);
  });

  it("is the route's where the route sets it", () => {
    const set = { "x-request-id": "$request_method" };
    for (const text of [own, none]) {
      expect(idsOf(text, { id: "given", set })).toEqual(["x-request-id: GET"]);
    }
  });
});

describe("Content-Length", () => {
  it.each([
    ["no body", request("/"), 0, []],
    ["a length of zero", request("/", "Content-Length: 0"), 0, ["Content-Length: 0"]],
    ["a body that was edited", request("/", "Content-Length: 9"), 12, ["Content-Length: 12"]],
    ["chunks", request("/", "Transfer-Encoding: chunked"), 12, ["Content-Length: 12"]],
    ["no chunks", request("/", "Transfer-Encoding: chunked"), 0, ["Content-Length: 0"]],
  ])("is the body's own, once: %s", (_, text, bytes, expected) => {
    const lines = linesOf(text, { bytes });
    expect(lines.filter((line) => /^(?:content-length|transfer-encoding):/i.test(line))).toEqual(
      expected,
    );
  });
});

it("any client, configuration and path make one well-formed head, the same each time", () => {
  const token = fc.stringMatching(/^[!#$%&'*+.^_`|~0-9A-Za-z-]{1,10}$/);
  const value = fc.stringMatching(/^[!-~\x80-\xff]{0,12}$/);
  const line = fc.tuple(token, value).map(([name, text]) => `X${name}: ${text}`);
  const template = fc.oneof(
    fc.string({ unit: "binary" }).map((text) => text.replaceAll("$", "")),
    fc.constantFrom("$uri", "a$uri b", "$args", "$http_xa"),
  );
  fc.assert(
    fc.property(
      fc.array(line, { maxLength: 5 }),
      fc.dictionary(token, template, { maxKeys: 4 }),
      fc.string({ unit: "binary" }),
      fc.boolean(),
      fc.nat(1),
      (lines, set, path, isPrefill, bytes) => {
        const text = request("/", ...lines);
        const options = {
          set,
          path,
          leg: isPrefill ? "prefill" : "decode",
          id: "i",
          bytes,
        } as const;
        const head = headOf(text, options);
        expect(headOf(text, options)).toBe(head);
        // Bytes: nothing is lost when it is written as latin1, and a strict reader takes it.
        expect(head).toMatch(/^[\0-\xff]*$/);
        const parsed = new RequestHead();
        const hasControls = /[\x01-\x08\x0b-\x1f\x7f]/.test(head.replaceAll("\r\n", ""));
        if (
          !hasControls &&
          Object.keys(set).every((name) => !/^(?:host|authorization)$/i.test(name))
        )
          expect(parseRequestHead(head, parsed)).toBeUndefined();
        expect(head.indexOf("\r\n\r\n")).toBe(head.length - 4);
        expect(head.replaceAll("\r\n", "")).not.toMatch(/[\r\n\0]/);
      },
    ),
    { seed: 13, numRuns: 500 },
  );
});

it("a client has no say in the data-parallel rank: load is counted by rank", () => {
  const lines = linesOf(request("/", "X-A: 1", "x-data-PARALLEL-rank: 7"));
  expect(lines).toContain("X-A: 1");
  expect(lines.join("\n")).not.toMatch(/parallel/i);
});

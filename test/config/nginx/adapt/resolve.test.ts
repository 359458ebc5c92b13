/** `server NAME resolve`, `service=`, `drain` and `resolver`: as sources of a pool. */
import { describe, expect, it } from "vitest";
import { inputOf, inUpstream, problemsOf } from "../in-memory.ts";

const poolOf = (text: string) => inputOf(inUpstream(text)).pools!["engines"]!;

it("each address of the name is an engine, with the parameters of the server", () => {
  const pool = poolOf("server e.test:8000 resolve weight=3 max_conns=4; server 127.0.0.1:1 drain;");
  expect(pool.engines).toEqual([{ url: "127.0.0.1:1", draining: true }]);
  expect(pool.sources).toEqual([
    {
      dns: "e.test:8000",
      type: "address",
      resolver: [],
      engine: { weight: 3, maxConns: 4 },
    },
  ]);
});

it.each([
  ["service=http", "_http._tcp.e.test"],
  ["service=_llm._tcp", "_llm._tcp.e.test"],
])("%s asks for SRV records", (service, dns) => {
  expect(poolOf(`server e.test ${service} resolve;`).sources).toMatchObject([{ dns, type: "SRV" }]);
});

it("the resolver says which servers, for how long, and which family", () => {
  const text = "resolver 10.0.0.1 [::1]:5353 valid=30s ipv6=off; server e.test resolve;";
  expect(poolOf(text).sources).toMatchObject([
    { type: "A", resolver: ["10.0.0.1", "[::1]:5353"], minMs: 30_000, maxMs: 30_000 },
  ]);
});

describe("what is wrong has its place", () => {
  it.each([
    ["server e.test service=http;", '"service" needs the parameter "resolve"'],
    ["server e.test resolv;", 'did you mean "resolve"?'],
    ["resolver dns.test; server e.test:1 resolve;", 'invalid name server "dns.test"'],
    ["resolver 10.0.0.1 ipv4=no; server e.test:1 resolve;", 'invalid parameter "ipv4=no"'],
    ["server 127.0.0.1 route=a;", '"route" of "server" is not supported yet'],
  ])("%s", (text, problem) => {
    expect(problemsOf(inUpstream(text)).join()).toContain(problem);
  });

  it("a name server that nothing uses may be anything", () => {
    expect(problemsOf(inUpstream("resolver dns.test; server 127.0.0.1:1;")).join()).not.toContain(
      "emerg",
    );
  });
});

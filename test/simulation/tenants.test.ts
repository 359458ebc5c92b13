/** Keys and limits through the whole proxy: who is refused before the body is read, what is charged, what engines see. */
import { describe, expect, test } from "vitest";
import { hashOfKey } from "../../src/config/values/key-file.ts";
import type { Credentials } from "../../src/proxy/admission/tenants/credentials.ts";
import { outcomes } from "../../src/proxy/context/outcomes.ts";
import { type ClientResponse, codeOf } from "./client.ts";
import { prefills, response, type Script } from "./engine.ts";
import { onlyField } from "./http-reader.ts";
import { World, type WorldOptions } from "./world.ts";

type Config = NonNullable<WorldOptions["config"]>;

const ask = { prompt: "p", stream: false };
const credentials: Credentials = {
  keys: [
    { hash: hashOfKey("key-a"), tenant: "a" },
    { hash: hashOfKey("key-b"), tenant: "b" },
  ],
  engineKeys: {},
};
const bearer = (key: string) => `Authorization: Bearer ${key}\r\n`;

function world(config: Config = {}, more: WorldOptions = {}): World {
  return new World({ credentials, ...more, config: { auth: { keyFile: "keys" }, ...config } });
}

const says =
  (body: string): Script =>
  (_, { send }) =>
    send(response(body));

/** The response to one request. */
function asked(world: World, lines: string): ClientResponse {
  return world.responseTo(world.ask(ask, lines));
}

const lineOf = (answer: ClientResponse, name: string) => onlyField(answer, name);

describe("a key", () => {
  test.each([
    bearer("key-a"),
    "x-api-key: key-a\r\n",
    "Api-Key: key-a\r\n",
    "authorization: bearer key-a\r\n",
  ])("is found in %j", (lines) => {
    const one = world();
    expect(asked(one, lines).status).toBe(200);
    one.expectNothingLeft();
  });

  test.each([
    "",
    bearer("key-c"),
    "Authorization: Basic a2V5LWE=\r\n",
    bearer("key-a,"),
    bearer("k".repeat(9_999)),
  ])("is missing: %#", (lines) => {
    const one = world();
    const refused = asked(one, lines);
    expect(refused.status).toBe(401);
    expect(codeOf(refused)).toBe("GP_UNAUTHORIZED");
    expect(lineOf(refused, "www-authenticate")).toBe("Bearer");
    expect(one.engines.flatMap(({ requests }) => requests)).toEqual([]);
    one.expectNothingLeft();
  });

  test("that is wrong does not make anybody anonymous", () => {
    const one = world({ auth: { keyFile: "keys", anonymous: "free" } });
    expect(asked(one, "").status).toBe(200);
    expect(asked(one, bearer("key-c")).status).toBe(401);
  });

  test("is asked for before a large body is read, and the connection closes", () => {
    const one = world();
    const client = one.client();
    client.send(
      "POST /v1/completions HTTP/1.1\r\nHost: p\r\nContent-Length: 1000000\r\nExpect: 100-continue\r\n\r\n",
    );
    expect(one.responseTo(client).status).toBe(401);
    expect(client.interim).toEqual([]);
    one.runUntil(() => client.ended !== undefined, 10_000);
    expect(one.worker.bodies.bytes).toBe(0);
  });

  test("whose request is small leaves the connection open", () => {
    const one = world();
    for (const engine of one.decode) engine.script = says("{}");
    const client = one.ask(ask);
    expect(one.responseTo(client).status).toBe(401);
    client.send(`GET /v1/models HTTP/1.1\r\nHost: p\r\n${bearer("key-a")}\r\n`, "GET");
    expect(one.responseTo(client).status).toBe(200);
  });

  test("is needed neither for /health nor by a route that asks for none", () => {
    const one = world(
      {},
      { routes: [{ match: { path: "/open" }, target: { pool: "decode" }, auth: false }] },
    );
    for (const engine of one.decode) engine.script = says("{}");
    const client = one.client();
    for (const path of ["/health", "/open"]) {
      client.send(`GET ${path} HTTP/1.1\r\nHost: p\r\n\r\n`, "GET");
      expect(one.responseTo(client).status, path).toBe(200);
    }
    client.send("GET /v1/health HTTP/1.1\r\nHost: p\r\n\r\n", "GET");
    expect(one.responseTo(client).status).toBe(401);
  });

  test("is needed for any other spelling of /health, and for OPTIONS with a body", () => {
    const one = world();
    const targets = [
      "//health",
      "/%68ealth",
      "/v1/../health",
      "/v1/models/../../health",
      "/./health",
    ];
    for (const target of targets) {
      const client = one.client();
      client.send(`GET ${target} HTTP/1.1\r\nHost: p\r\n\r\n`, "GET");
      expect(one.responseTo(client).status, target).toBe(401);
    }
    for (const framing of [
      "Content-Length: 2\r\n\r\n{}",
      "Transfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
    ]) {
      const client = one.client();
      client.send(`OPTIONS /v1/models HTTP/1.1\r\nHost: p\r\n${framing}`, "OPTIONS");
      expect(one.responseTo(client).status, framing).toBe(401);
    }
    expect(one.engines.flatMap(({ requests }) => requests)).toEqual([]);
  });

  test("is taken in and out while requests go on", () => {
    const one = world();
    expect(asked(one, bearer("key-b")).status).toBe(200);
    one.worker.applyCredentials({ keys: credentials.keys.slice(0, 1), engineKeys: {} });
    expect(asked(one, bearer("key-b")).status).toBe(401);
    expect(asked(one, bearer("key-a")).status).toBe(200);
  });
});

describe("what engines get of keys", () => {
  const sent = ({ prefill, decode }: World) =>
    [...prefill, ...decode].flatMap(({ requests }) =>
      requests.map(({ fields }) => [...fields].filter(([name]) => /authorization|key/.test(name))),
    );

  test("nothing of the client's", () => {
    const one = world();
    asked(one, `${bearer("key-a")}Api-Key: x\r\n`);
    expect(sent(one)).toEqual([[], []]);
  });

  test("nothing of the client's where no key is asked for, and not the pool's for what is free to all", () => {
    const routes = [{ match: { path: "/open" }, target: { pool: "decode" }, auth: false }];
    const one = world(
      {},
      { routes, credentials: { ...credentials, engineKeys: { decode: "ek-d" } } },
    );
    for (const engine of one.decode) engine.script = says("{}");
    const client = one.client();
    for (const start of ["GET /health", "OPTIONS /v1/models", "GET /open"]) {
      const lines = `${bearer("key-a")}X-Api-Key: key-a\r\nApi-Key: key-a\r\n`;
      client.send(`${start} HTTP/1.1\r\nHost: p\r\n${lines}\r\n`, start.split(" ")[0]);
      expect(one.responseTo(client).status, start).toBe(200);
    }
    expect(sent(one).flat()).toEqual([["authorization", ["Bearer ek-d"]]]);
    const without = world({}, { routes });
    for (const engine of without.decode) engine.script = says("{}");
    const other = without.client();
    other.send(`GET /open HTTP/1.1\r\nHost: p\r\n${bearer("key-a")}\r\n`, "GET");
    expect(without.responseTo(other).status).toBe(200);
    expect(sent(without)).toEqual([[]]);
  });

  test("the client's, if the operator says so, or without auth", () => {
    const options = [world({ auth: { keyFile: "keys", forwardKeys: true } }), new World()];
    for (const one of options) {
      asked(one, bearer("key-a"));
      expect(sent(one)).toEqual(Array(2).fill([["authorization", ["Bearer key-a"]]]));
    }
  });

  test("their pool's, in place of it and of what the route sets", () => {
    for (const config of [{}, { auth: { keyFile: "keys" } }]) {
      const one = new World({
        credentials: { ...credentials, engineKeys: { prefill: "ek-p", decode: "ek-d" } },
        config,
        route: { setHeaders: { Authorization: "Bearer route" } },
      });
      asked(one, bearer("key-a"));
      expect(sent(one)).toEqual([
        [["authorization", ["Bearer ek-p"]]],
        [["authorization", ["Bearer ek-d"]]],
      ]);
    }
  });
});

describe("a limit", () => {
  test("of requests holds over all workers, for each tenant by itself, and says when to come again", () => {
    const tenants = { a: { requestsPerMinute: 6 }, b: { requestsPerMinute: 1 } };
    const one = world({ tenants }, { workers: 2 });
    const statuses = Array.from({ length: 10 }, () => asked(one, bearer("key-a")).status);
    expect(statuses.filter((status) => status === 200)).toHaveLength(6);
    const refused = asked(one, bearer("key-a"));
    expect(codeOf(refused)).toBe("GP_REQUEST_LIMIT");
    const seconds = Number(lineOf(refused, "retry-after"));
    expect(seconds).toBeGreaterThan(8);
    expect(lineOf(refused, "x-ratelimit-remaining-requests")).toBe("0");
    expect(asked(one, bearer("key-b")).status).toBe(200);
    one.runFor(seconds * 1_000);
    const again = asked(one, bearer("key-a"));
    expect(again.status).toBe(200);
    expect(lineOf(again, "x-ratelimit-limit-requests")).toBe("6");
    one.expectNothingLeft();
  });

  test("of requests in flight ends with the request, however it ends", () => {
    const one = world({ tenants: { a: { inFlightMax: 1 }, b: {} } }, { workers: 2 });
    for (const engine of one.decode) engine.script = () => {};
    const hanging = one.ask(ask, bearer("key-a"));
    one.runFor(50);
    expect(codeOf(asked(one, bearer("key-a")))).toBe("GP_IN_FLIGHT_LIMIT");
    hanging.socket.destroy();
    one.runFor(50);
    const dying = one.ask(ask, bearer("key-a"));
    one.runFor(50);
    expect(codeOf(asked(one, bearer("key-a")))).toBe("GP_IN_FLIGHT_LIMIT");
    for (const index of [0, 1]) one.workers.kill(index);
    one.runUntil(() => dying.ended !== undefined, 1_000);
    expect(one.tenants.inFlight).toBe(0);
  });

  const usage = (prompt: number, output: number) =>
    `{"choices":[{"text":"x"}],"usage":{"prompt_tokens":${prompt},"completion_tokens":${output}}}`;
  const left = (answer: ClientResponse) => Number(lineOf(answer, "x-ratelimit-remaining-tokens"));

  test("of tokens is charged by the estimate, then by what the engine has counted", () => {
    const one = world({ tenants: { a: { tokensPerMinute: 6_000 }, b: {} } });
    for (const engine of one.decode) engine.script = says(usage(500, 1_500));
    const first = asked(one, bearer("key-a"));
    // About four bytes of the body are a token.
    expect(left(first)).toBeGreaterThan(5_950);
    expect(left(first)).toBeLessThan(6_000);
    const second = asked(one, bearer("key-a"));
    expect(left(second)).toBeGreaterThan(3_000);
    expect(left(second)).toBeLessThan(4_010);
    asked(one, bearer("key-a"));
    const refused = asked(one, bearer("key-a"));
    expect(codeOf(refused)).toBe("GP_TOKEN_LIMIT");
    expect(lineOf(refused, "x-ratelimit-reset-tokens")).toMatch(/^\d+(\.\d)?s$|^1m/);
    one.expectNothingLeft();
  });

  test("of tokens holds for responses that are still to come, and gives back what they do not use", () => {
    const one = world({ tenants: { a: { tokensPerMinute: 1_000 }, b: {} } }, { workers: 2 });
    const long = { ...ask, events: 400 };
    const sends: (() => void)[] = [];
    for (const engine of one.decode) {
      engine.script = (_, { send }) => sends.push(() => send(response(usage(10, 1))));
    }
    const waiting = Array.from({ length: 3 }, () => one.ask(long, bearer("key-a")));
    one.runFor(50);
    expect(sends).toHaveLength(3);
    expect(codeOf(one.responseTo(one.ask(long, bearer("key-a"))))).toBe("GP_TOKEN_LIMIT");
    for (const send of sends) send();
    for (const client of waiting) expect(one.responseTo(client).status).toBe(200);
    for (const engine of one.decode) engine.script = says(usage(10, 1));
    const last = one.responseTo(one.ask({ ...ask, events: 3 }, bearer("key-a")));
    expect(left(last)).toBeGreaterThan(900);
    one.expectNothingLeft();
  });

  test("of tokens is not wiped out by a request that asks for far more than there is", () => {
    const one = world(
      { tenants: { a: { tokensPerMinute: 1_000 }, b: {} } },
      { route: { readTimeoutMs: 60_000 } },
    );
    const replies: (() => void)[] = [];
    for (const engine of one.decode) {
      engine.script = (_, { send }) => replies.push(() => send(response(usage(10, 5_000))));
    }
    const small = Array.from({ length: 4 }, () => one.ask({ ...ask, events: 1 }, bearer("key-a")));
    one.runFor(10_000);
    const body = '{"model":"m","prompt":"p","n":1000000000000}';
    const huge = one.client();
    huge.send(
      `POST /v1/completions HTTP/1.1\r\nHost: p\r\n${bearer("key-a")}Content-Length: ${body.length}\r\n\r\n${body}`,
    );
    one.runFor(50);
    expect(replies).toHaveLength(5);
    for (const reply of replies.slice(0, 4)) reply();
    for (const client of small) expect(one.responseTo(client).status).toBe(200);
    huge.socket.destroy();
    one.runFor(50);
    expect(codeOf(asked(one, bearer("key-a")))).toBe("GP_TOKEN_LIMIT");
  });

  describe("of tokens is charged for a response whose client does not wait for it", () => {
    const usedBy = (more: object, waitMs: number) => {
      // 20 tokens a second are refilled meanwhile.
      const tenants = { a: { tokensPerMinute: 1_200 }, b: {} };
      const route = { readTimeoutMs: 60_000, requestTimeoutMs: 20_000 };
      const one = world({ tenants }, { route });
      for (const engine of one.decode) engine.script = () => {};
      const leaving = one.ask({ ...ask, ...more }, bearer("key-a"));
      one.runFor(waitMs);
      leaving.socket.destroy();
      one.runFor(50);
      for (const engine of one.decode) engine.script = says(usage(1, 1));
      const used = 1_200 - left(one.responseTo(one.ask(ask, bearer("key-a"))));
      one.expectNothingLeft();
      return used;
    };

    test("by the time that its engine had, up to what it asked for", () => {
      // 500 tokens, at 20 ms each as long as nothing is known, of which 200 are refilled.
      expect(usedBy({ events: 9_000 }, 10_000)).toBeGreaterThan(300);
      expect(usedBy({ events: 9_000 }, 10_000)).toBeLessThan(450);
      expect(usedBy({ events: 50 }, 10_000)).toBeLessThan(100);
    });

    test("also if the proxy ends it", () => {
      expect(usedBy({ events: 9_000 }, 20_200)).toBeGreaterThan(500);
    });

    test("but not for a stream that has not begun", () => {
      expect(usedBy({ events: 9_000, stream: true }, 10_000)).toBeLessThan(70);
    });
  });

  test("of tokens is not used up by requests that engines fail", () => {
    const one = world({ tenants: { a: { tokensPerMinute: 6_000 }, b: {} } });
    for (const engine of one.prefill) engine.script = (_, { socket }) => socket.cut("rst");
    expect(asked(one, bearer("key-a")).status).toBe(502);
    for (const engine of one.prefill) engine.script = prefills;
    expect(left(asked(one, bearer("key-a")))).toBeGreaterThan(5_950);
  });

  test("of models is by name or beginning, and a body that names none is refused", () => {
    const one = world({ tenants: { a: { models: ["m"] }, b: { models: ["x", "llama-*"] } } });
    expect(asked(one, bearer("key-a")).status).toBe(200);
    expect(codeOf(asked(one, bearer("key-b")))).toBe("GP_MODEL_FORBIDDEN");
    const send = (body: string) => {
      const client = one.client();
      const head = `POST /v1/completions HTTP/1.1\r\nHost: p\r\n${bearer("key-b")}`;
      client.send(
        `${head}Content-Type: application/json\r\nContent-Length: ${body.length}\r\n\r\n${body}`,
      );
      return one.responseTo(client).status;
    };
    expect(send('{"prompt":"p"}')).toBe(403);
    expect(send('{"model":"llama-3","prompt":"p"}')).toBe(200);
    // The last one counts, whatever its escapes, as for engines.
    expect(send('{"model":"llama-3","prompt":"p","mod\\u0065l":"m"}')).toBe(403);
    expect(send('{"model":"ll\\u0061ma-3","prompt":"p"}')).toBe(200);
    expect(send('{"model":["llama-3"],"prompt":"p"}')).toBe(403);
  });

  test("that a reload changes holds for what was used before", () => {
    const tenants = (requestsPerMinute: number) => ({ a: { requestsPerMinute }, b: {} });
    const one = world({ tenants: tenants(4) });
    for (let i = 0; i < 4; i += 1) asked(one, bearer("key-a"));
    const other = world({ tenants: tenants(8) });
    one.apply(other.config);
    expect(asked(one, bearer("key-a")).status).toBe(429);
    one.runFor(60_000);
    for (let i = 0; i < 8; i += 1) expect(asked(one, bearer("key-a")).status).toBe(200);
    expect(asked(one, bearer("key-a")).status).toBe(429);
  });
});

describe("a tenant that a proxy in front names", () => {
  const auth = { tenantHeader: { name: "X-Tenant", from: ["0.0.0.0/0", "unix"] }, unlisted: "all" };
  const tenants = { all: { requestsPerMinute: 1 }, big: { requestsPerMinute: 2 } };

  test("has its own limits, and each that is not listed those of one that is", () => {
    const one = world({ auth, tenants });
    const statusOf = (name: string) => asked(one, `X-Tenant: ${name}\r\n`).status;
    expect(["big", "big", "big"].map(statusOf)).toEqual([200, 200, 429]);
    expect(["x", "y", "x", "y"].map(statusOf)).toEqual([200, 200, 429, 429]);
    expect(statusOf("no good")).toBe(403);
  });

  test("is ignored from anywhere else", () => {
    const from = ["10.0.0.0/8"];
    const one = world({ auth: { ...auth, tenantHeader: { name: "X-Tenant", from } }, tenants });
    const refused = asked(one, "X-Tenant: big\r\n");
    expect(refused.status).toBe(401);
    expect(refused.body.toString()).toContain("No trusted proxy in front");
  });
});

test("every outcome of a tenant is the client's fault, and no engine's", () => {
  for (const name of ["unauthorized", "requestLimit", "tokenLimit", "modelForbidden"] as const) {
    expect(outcomes[name].fault).toBe("client");
  }
});

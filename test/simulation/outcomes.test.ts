/**
 * Each outcome of the list can be reached: one way to it is here, and its code stands in the access log. Whoever adds
 * an outcome adds its way; one that nothing leads to any more is taken off the list.
 */
import { expect, test } from "vitest";
import type { ConfigInput } from "../../src/config/schema/schema.ts";
import { outcomes } from "../../src/proxy/context/outcomes.ts";
import { completion } from "./client.ts";
import { chunk, chunkedHead, type Engine, prefills, response, type Script } from "./engine.ts";
import { parts } from "./greedy-engine.ts";
import { timeouts, World, type WorldOptions } from "./world.ts";

/** No request ends as `internal`: metrics count under it what is not on the list. */
type Name = Exclude<keyof typeof outcomes, "internal">;
type Route = NonNullable<WorldOptions["routes"]>[number];

const ask = { prompt: "p", stream: false };
const stream = { prompt: "p", stream: true };
const accessLogs = [{ file: "log", format: "sim" }];
const one = { prefill: 1, decode: 1 } as const;
const full = {
  ...one,
  pool: { policy: { name: "round_robin" } },
  engine: { maxConns: 1 },
} as const;

/** A route of its own to the decode engines. */
const at = (path: string, more: Partial<Route>): Route =>
  ({ match: { path }, accessLogs, ...more }) as Route;

function post(path: string, body: object): string {
  const json = JSON.stringify(body);
  const head = `POST ${path} HTTP/1.1\r\nHost: p\r\nContent-Type: application/json\r\n`;
  return `${head}Content-Length: ${json.length}\r\n\r\n${json}`;
}
const get = (path: string) => `GET ${path} HTTP/1.1\r\nHost: p\r\n\r\n`;

/** A world to which a client says this. */
function told(text: string, options: WorldOptions = {}): World {
  const world = new World(options);
  world.client().send(text, text.slice(0, text.indexOf(" ")));
  return world;
}

/** A world that is asked so often, and whose engines of one role are so. */
function asked(
  role: "encode" | "prefill" | "decode",
  befall: (engine: Engine) => void,
  options: WorldOptions = {},
  times = 1,
): World {
  const world = new World({ ...(role === "encode" && { encode: 1 }), ...options });
  world[role].forEach(befall);
  for (let i = 0; i < times; i += 1) {
    if (role === "encode") world.client().send(post("/v1/chat/completions", pictures(1)));
    else world.ask(ask);
  }
  return world;
}

const does = (script: Script) => (engine: Engine) => {
  engine.script = script;
};
const breaks = does((_, { socket }) => socket.cut("rst"));
const hangs = does(() => {});
const babbles = does((_, { send }) => send("NONSENSE\r\n\r\n"));
const isWell = () => {};

/** All clients are one tenant. */
const limited = (limits: NonNullable<ConfigInput["tenants"]>[string]): WorldOptions => ({
  config: { auth: { anonymous: "t" }, tenants: { t: limits } },
});

function pictures(count: number): object {
  const content = Array.from({ length: count }, (_, i) => ({
    type: "image_url",
    image_url: { url: `data:${i}` },
  }));
  return { model: "m", messages: [{ role: "user", content }] };
}

const rewrites = (pattern: string, replacement: string) =>
  ({ rewrite: { pattern, replacement, flag: "last" } }) as const;

const peer = { certificate: Buffer.alloc(0), fault: undefined, faultCode: undefined };
const handshake = {
  protocol: "TLSv1.3",
  cipher: "TLS_AES_128_GCM_SHA256",
  serverName: "",
  alpn: "",
  isReused: false,
  peer: undefined,
};

/** A server that asks its clients for certificates. */
const named = {
  names: ["p"],
  tls: { clientCertificates: { verify: "required" } },
} as const satisfies WorldOptions["server"];

const ways: Readonly<Record<Name, () => World>> = {
  answered: () => asked("decode", isWell),
  returned: () =>
    told(get("/here"), { routes: [at("/here", { steps: [{ return: { status: 200 } }] })] }),
  accessDenied: () =>
    told(get("/here"), { routes: [at("/here", { access: { rules: [{ deny: "all" }] } })] }),
  rateLimited: () => {
    const limits = { zones: [{ zone: "z" }] };
    const route = at("/here", { steps: [], requestLimits: limits });
    const config = { requestZones: { z: { key: "$remote_addr", perMinute: 1 } } };
    return told(get("/here") + get("/here"), { routes: [route], config });
  },
  tooManyConnections: () => {
    const limits = { zones: [{ zone: "z", max: 1 }] };
    const config = { connectionZones: { z: { key: "$remote_addr" } } };
    const route = { target: { pool: "decode" }, connectionLimits: limits };
    const world = told(get("/here"), { routes: [at("/here", route)], config });
    world.decode.forEach(hangs);
    world.runFor(50);
    world.client().send(get("/here"), "GET");
    return world;
  },
  closed: () =>
    told(get("/here"), { routes: [at("/here", { steps: [{ return: { status: 444 } }] })] }),
  engineError: () => {
    const errorPages = [{ statuses: [502], uri: "@page" }];
    const page = { match: { kind: "exact", path: "@page" }, steps: [{ return: { status: 200 } }] };
    const route = { target: { pool: "decode" }, replaceEngineErrors: true, errorPages };
    const world = told(get("/here"), {
      routes: [at("/here", route), at("@page", page as Partial<Route>)],
    });
    for (const engine of world.engines)
      engine.script = (_, { send }) => send(response("{}", "502 Bad Gateway"));
    return world;
  },
  clientGone: () => {
    const world = asked("decode", hangs);
    world.runFor(50);
    world.clients[0]!.socket.destroy();
    return world;
  },
  clientTimeout: () =>
    told("POST /v1/completions HTTP/1.1\r\nHost: p\r\nContent-Length: 9\r\n\r\n{"),
  clientStalled: () => {
    const world = new World();
    const much = Buffer.alloc(20_000_000, "a");
    for (const engine of world.decode) engine.script = (_, { send }) => send(response(much));
    const client = world.client();
    client.connected = () => client.socket.pause();
    client.send(completion(ask));
    return world;
  },
  requestTimeout: () => asked("decode", hangs, { route: { requestTimeoutMs: 300 } }),
  bodyTooLarge: () => asked("decode", isWell, { route: { bodyBytesMax: 10 } }),
  badChunk: () =>
    told("POST /v1/completions HTTP/1.1\r\nHost: p\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n"),
  badPath: () => told(get("/../../etc")),
  plainToTls: () => told(get("/v1/models"), { handshake: "missing" }),
  noClientCertificate: () => told(get("/v1/models"), { handshake, server: named }),
  clientCertificate: () =>
    told(get("/v1/models"), {
      handshake: { ...handshake, peer: { ...peer, fault: "certificate has expired" } },
      server: named,
    }),
  misdirected: () =>
    told(get("/v1/models").replace("Host: p", "Host: other"), {
      handshake: { ...handshake, serverName: "p", peer },
      server: named,
    }),
  noPage: () => told(get("/here"), { routes: [at("/here", { page: "metrics" })] }),
  noRoute: () =>
    told(get("/here"), { routes: [at("/here", { internal: true, target: { pool: "decode" } })] }),
  engineControl: () => told(post("/sleep", {})),
  unauthorized: () => asked("decode", isWell, { config: { auth: { keyFile: "keys" } } }),
  unknownTenant: () =>
    told("POST /v1/completions HTTP/1.1\r\nHost: p\r\nX-Tenant: t\r\nContent-Length: 1\r\n\r\n{", {
      config: { auth: { tenantHeader: { name: "X-Tenant", from: ["0.0.0.0/0", "unix"] } } },
    }),
  modelForbidden: () => asked("decode", isWell, limited({ models: ["another"] })),
  unknownResponse: () => told(get(`/v1/responses/resp_${"0".repeat(48)}`)),
  sharedStorage: () =>
    told(get("/v1/files"), { config: { auth: { anonymous: "t" }, tenants: { t: {} } } }),
  requestLimit: () => asked("decode", isWell, limited({ requestsPerMinute: 1 }), 2),
  tokenLimit: () => asked("decode", isWell, limited({ tokensPerMinute: 1 }), 2),
  inFlightLimit: () => asked("decode", hangs, limited({ inFlightMax: 1 }), 2),
  transferField: () => told(post("/v1/score", [{ prompt: "p", kv_transfer_params: {} }])),
  bodyEncoded: () =>
    told(
      "POST /v1/score HTTP/1.1\r\nHost: p\r\nContent-Encoding: gzip\r\nContent-Length: 1\r\n\r\n{",
    ),
  draining: () => {
    const world = asked("decode", hangs);
    world.runFor(50);
    world.worker.stop();
    return world;
  },
  bodiesFull: () => {
    const world = asked("decode", hangs, { config: { bodyBytesTotalMax: 3_600 } }, 0);
    for (let i = 0; i < 5; i += 1) world.ask({ prompt: "p".repeat(900), stream: false });
    return world;
  },
  noDescriptors: () => asked("prefill", (engine) => engine.connects("EMFILE")),
  dialectUnknown: () => asked("decode", isWell, { route: { dialect: "auto" } }),
  unsupportedRequest: () =>
    told(post("/v1/completions", { prompt: "p", n: 2 }), { route: { dialect: "vllm-p2p-nccl" } }),
  unknownModel: () =>
    told(post("/v1/completions", { model: "none", prompt: "p" }), {
      route: { models: [{ model: "m" }] },
    }),
  modelsUnknown: () =>
    told(post("/v1/completions", { model: "m", prompt: "p" }), { route: { models: "auto" } }),
  tokenLimits: () =>
    told(post("/v1/completions", { prompt: "p", max_tokens: 0 }), {
      route: { dialect: "vllm-nixl" },
    }),
  tooManyItems: () => told(post("/v1/chat/completions", pictures(300)), { encode: 1 }),
  noEncodeEngine: () => asked("encode", isWell, { engine: { down: true } }),
  encodeFull: () => asked("encode", hangs, { engine: { maxConns: 1 } }, 2),
  encodeFailed: () => asked("encode", breaks),
  encodeTimeout: () => asked("encode", hangs),
  encodeInvalid: () => asked("encode", babbles),
  noPrefillEngine: () =>
    asked("decode", isWell, {
      ...one,
      config: {
        pools: {
          prefill: { engines: [{ url: "prefill1:9000", down: true }] },
          decode: { engines: [{ url: "decode1:9000" }] },
        },
      },
    }),
  noDecodeEngine: () => asked("decode", isWell, { engine: { down: true } }),
  prefillFull: () => asked("prefill", hangs, full, 2),
  decodeFull: () => {
    const world = asked("decode", hangs, full);
    world.runFor(50);
    world.ask(ask);
    return world;
  },
  queueFull: () =>
    asked("prefill", hangs, { ...full, pool: { ...full.pool, queue: { max: 1 } } }, 3),
  queueTimeout: () =>
    asked("prefill", hangs, { ...full, pool: { ...full.pool, queue: { timeoutMs: 300 } } }, 2),
  overloaded: () => {
    const policy = { name: "predictive", ttftMaxMs: 1_500 } as const;
    const world = new World({ ...one, pool: { policy } });
    for (const engine of world.prefill)
      engine.script = (request, connection) =>
        connection.after(200, () => prefills(request, connection));
    for (let i = 0; i < 11; i += 1) {
      if (i === 2) world.runFor(20);
      world.ask({ prompt: `p${i} `.repeat(2_000), stream: false });
    }
    return world;
  },
  prefillFailed: () => asked("prefill", breaks),
  decodeFailed: () => asked("decode", breaks),
  prefillTimeout: () => asked("prefill", hangs),
  decodeTimeout: () => asked("decode", hangs),
  prefillInvalid: () => asked("prefill", babbles),
  decodeInvalid: () => asked("decode", babbles),
  decodePreempted: () => {
    const body = { prompt: "P:", presence_penalty: 0.5 };
    const { json } = parts(body, 0, 3, 0, "{}");
    const world = told(post("/v1/completions", body), { route: { dialect: "vllm-ascend" } });
    for (const engine of world.engines) engine.checksTransfer = false;
    for (const engine of world.decode) engine.script = (_, { send }) => send(response(json));
    return world;
  },
  truncated: () => {
    const world = new World();
    for (const engine of world.decode)
      engine.script = (_, { send, after, socket }) => {
        send(chunkedHead + chunk('data: {"text":"a"}\n\n'));
        after(50, () => socket.cut("rst"));
      };
    world.ask(stream);
    return world;
  },
  routeLoop: () =>
    told(get("/a"), {
      routes: [
        at("/a", { steps: [rewrites("^/a$", "/b")] }),
        at("/b", { steps: [rewrites("^/b$", "/a")] }),
      ],
    }),
  notReady: () => told(get("/health"), { engine: { down: true } }),
};

test.each(Object.keys(ways) as Name[])("a request can end as %s", (name) => {
  const world = ways[name]();
  const { code, status } = outcomes[name];
  const isLogged = () => world.lines.some((line) => line.includes(` ${code} `));
  world.runUntil(() => isLogged() || world.network.nowMs() > 10 * timeouts.readTimeoutMs, 20_000);
  const line = world.lines.find((one) => one.includes(` ${code} `));
  expect(line, world.lines.join("\n")).toBeDefined();
  if (status > 0) expect(line).toMatch(new RegExp(`^${status} `));
});

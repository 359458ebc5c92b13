/** When an engine fails, another is tried as long as nothing of a response has gone to the client; and only then. */
import { expect, test } from "vitest";
import { codeOf, completion } from "./client.ts";
import { chunk, chunkedHead, decodes, type Engine, response, type Script } from "./engine.ts";
import { rightResponse } from "./prompts.ts";
import { World, type WorldOptions } from "./world.ts";

const ask = { prompt: "try again", stream: true };

/** Ejects engines as nginx does. */
function worldOf(options: WorldOptions = {}): World {
  return new World({ ...options, pool: { ejection: { rule: "max_fails" }, ...options.pool } });
}

interface Fault {
  readonly name: string;
  /** Whether the engine cannot have seen the request. */
  readonly unsent: boolean;
  readonly timeout?: boolean;
  readonly invalid?: boolean;
  befall(engine: Engine): void;
}

const says = (text: string | Buffer): Fault["befall"] => scripted((_, { send }) => send(text));

function scripted(script: Script): Fault["befall"] {
  return (engine) => {
    engine.script = script;
  };
}

const faults: readonly Fault[] = [
  { name: "refuses connects", unsent: true, befall: (engine) => engine.connects("refused") },
  {
    name: "does not answer connects",
    unsent: true,
    timeout: true,
    befall: (engine) => engine.connects("silence"),
  },
  { name: "closes", unsent: false, befall: scripted((_, { socket }) => socket.cut("fin")) },
  { name: "resets", unsent: false, befall: scripted((_, { socket }) => socket.cut("rst")) },
  { name: "is silent", unsent: false, timeout: true, befall: scripted(() => {}) },
  {
    name: "breaks off in its head",
    unsent: false,
    befall: scripted((_, { send, socket }) => {
      send("HTTP/1.1 200 OK\r\nContent-Le");
      socket.end();
    }),
  },
  {
    name: "breaks off behind its head",
    unsent: false,
    befall: scripted((_, { send, socket }) => {
      send(chunkedHead);
      socket.end();
    }),
  },
  { name: "says no HTTP", unsent: false, invalid: true, befall: says("SSH-2.0-OpenSSH\r\n\r\n") },
  {
    name: "has two lengths",
    unsent: false,
    invalid: true,
    befall: says("HTTP/1.1 200 OK\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\nab"),
  },
  {
    name: "has a length and chunks",
    unsent: false,
    invalid: true,
    befall: says(
      "HTTP/1.1 200 OK\r\nContent-Length: 1\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
    ),
  },
  {
    name: "switches protocols unasked",
    unsent: false,
    invalid: true,
    befall: says("HTTP/1.1 101 Switching Protocols\r\nUpgrade: x\r\n\r\n"),
  },
  {
    name: "has an endless head",
    unsent: false,
    invalid: true,
    befall: says(`HTTP/1.1 200 OK\r\nX: ${"y".repeat(70_000)}`),
  },
  {
    name: "has a body that must not be",
    unsent: false,
    invalid: true,
    befall: says("HTTP/1.1 204 No Content\r\nContent-Length: 1\r\n\r\na"),
  },
];

test.each(faults)("a prefill engine that $name is replaced by another", ({ befall }) => {
  const world = worldOf();
  befall(world.prefill[0]!);
  expect(world.responseTo(world.ask(ask)).body.toString()).toBe(rightResponse(ask));
  expect(world.lines).toEqual(["200 GP_OK prefill1:9000, prefill2:9000 > decode1:9000"]);
  world.expectNothingLeft();
});

test.each(faults)(
  "a decode engine that $name is replaced by another, with KV that is there",
  ({ befall, unsent }) => {
    const world = worldOf();
    befall(world.decode[0]!);
    expect(world.responseTo(world.ask(ask)).body.toString()).toBe(rightResponse(ask));
    const prefills = unsent ? "prefill1:9000" : "prefill1:9000, prefill2:9000";
    expect(world.lines).toEqual([`200 GP_OK ${prefills} > decode1:9000, decode2:9000`]);
    world.expectNothingLeft();
  },
);

for (const role of ["prefill", "decode"] as const) {
  test.each(faults)(
    `when each ${role} engine $name the client is told so`,
    ({ name, befall, timeout, invalid }) => {
      const world = worldOf({ prefill: 3, decode: 3 });
      for (const engine of world[role]) befall(engine);
      const failed = world.responseTo(world.ask(ask), 20_000);
      expect(failed.status).toBe(timeout ? 504 : 502);
      expect(failed.fields.get("content-type")).toEqual(["application/json"]);
      const code = `GP_${role.toUpperCase()}_${timeout ? "TIMEOUT" : invalid ? "INVALID" : "FAILED"}`;
      const { error } = JSON.parse(failed.body.toString());
      expect(error).toEqual({
        message: expect.any(String),
        type: timeout ? "timeout_error" : "api_error",
        param: null,
        code,
      });
      expect(world.lines[0]).toContain(`${role}1:9000, ${role}2:9000, ${role}3:9000`);
      // A decode engine may have waited for a KV cache: it is given a second chance.
      if (role === "decode" && name === "is silent") world.responseTo(world.ask(ask), 20_000);
      // All rest now: there is nobody left to ask.
      const next = world.responseTo(world.ask(ask));
      expect([next.status, codeOf(next)]).toEqual([502, `GP_NO_${role.toUpperCase()}_ENGINE`]);
      world.expectNothingLeft();
    },
  );

  test.each([
    ["400 Bad Request", '{"error":{"message":"max_tokens is too large"}}'],
    ["404 Not Found", "no such model"],
    ["422 Unprocessable", ""],
    ["429 Too Many Requests", "slow down"],
    ["500 Internal Server Error", "boom"],
    ["503 Service Unavailable", "busy"],
    ["307 Temporary Redirect", "elsewhere"],
  ])(`a ${role} engine's own %s passes through, and is no failure of it`, (status, body) => {
    const world = worldOf({ route: { retry: { on: ["error", "timeout"] } } });
    const lines = "Retry-After: 7\r\nX-Engine: e\r\n";
    for (const engine of world[role])
      engine.script = (_, { send }) => send(response(body, status, lines));
    for (let i = 0; i < 4; i += 1) {
      const got = world.responseTo(world.ask(ask));
      expect(got.startLine).toBe(`HTTP/1.1 ${status}`);
      expect(got.body.toString()).toBe(body);
      expect(got.fields.get("retry-after")).toEqual(["7"]);
      expect(got.fields.get("x-engine")).toEqual(["e"]);
    }
    // Both engines go on being asked.
    expect(world[role].map(({ requests }) => requests.length)).toEqual([2, 2]);
    if (role === "prefill") expect(world.decode.flatMap(({ requests }) => requests)).toEqual([]);
    world.expectNothingLeft();
  });

  test(`a ${role} engine's 503 leads to another where the route says so, and the last one's passes through`, () => {
    const world = worldOf({ route: { retry: { on: ["error", "http_503", "http_429"] } } });
    world[role][0]!.script = (_, { send }) => send(response("busy", "503 Service Unavailable"));
    const first = world.responseTo(world.ask(ask));
    expect(first.body.toString()).toBe(rightResponse(ask));
    expect(world.lines[0]).toContain(`${role}1:9000, ${role}2:9000`);
    // The first one is passed over, as it has said that it has too much to do, until the other one says so, too.
    world[role][1]!.script = (_, { send }) => send(response("limit", "429 Too Many Requests"));
    const second = world.responseTo(world.ask(ask));
    expect([second.status, second.body.toString()]).toEqual([503, "busy"]);
    world.expectNothingLeft();
  });
}

test.each(["prefill", "decode"] as const)(
  "a %s engine's status that allows another try is the client's response when no try is left",
  (role) => {
    const world = worldOf({ route: { retry: { on: ["error", "http_500"], tries: 1 } } });
    world[role][0]!.script = (_, { send }) => send(response("boom", "500 Internal Server Error"));
    const got = world.responseTo(world.ask(ask));
    expect([got.status, got.body.toString()]).toEqual([500, "boom"]);
    expect(world[role][1]!.requests).toEqual([]);
    world.expectNothingLeft();
  },
);

test.each([
  ["off", { on: ["off"] as const }],
  ["one try", { tries: 1 }],
  ["other conditions", { on: ["http_500"] as const }],
])("no other engine is tried where the route forbids it: %s", (_, retry) => {
  const world = worldOf({
    route: { retry: { ...retry, on: "on" in retry ? [...retry.on] : undefined } },
  });
  world.prefill[0]!.connects("refused");
  expect(codeOf(world.responseTo(world.ask(ask)))).toBe("GP_PREFILL_FAILED");
  expect(world.prefill[1]!.requests).toEqual([]);
  world.expectNothingLeft();
});

test("no other engine is tried once the route's time for it is over", () => {
  const world = worldOf({ prefill: 4, route: { retry: { timeoutMs: 500 } } });
  for (const engine of world.prefill) engine.connects("silence");
  expect(codeOf(world.responseTo(world.ask(ask)))).toBe("GP_PREFILL_TIMEOUT");
  expect(world.lines).toEqual(["504 GP_PREFILL_TIMEOUT prefill1:9000, prefill2:9000 > -"]);
  world.expectNothingLeft();
});

test("that time begins when the first engine gets the request, as in nginx", () => {
  const world = worldOf({ prefill: 2, route: { retry: { timeoutMs: 500 } } });
  world.prefill[0]!.connects("refused");
  const client = world.client();
  const whole = completion(ask);
  client.send(whole.slice(0, -5));
  world.runFor(600);
  client.socket.write(Buffer.from(whole.slice(-5)));
  expect(world.responseTo(client).status).toBe(200);
  world.expectNothingLeft();
});

test("once a byte of a stream has gone out, a failure ends it visibly and nobody else is asked", () => {
  const world = worldOf();
  world.decode[0]!.script = (_, { send, after, socket }) => {
    send(chunkedHead + chunk('data: {"text":"a"}\n\n'));
    after(20, () => socket.cut("rst"));
  };
  const client = world.ask(ask);
  world.runUntil(() => client.ended !== undefined, 1_000);
  expect(client.answers).toEqual([]);
  expect(client.partialBody).toBe('data: {"text":"a"}\n\n');
  expect(world.lines).toEqual(["200 GP_TRUNCATED prefill1:9000 > decode1:9000"]);
  expect(world.decode[1]!.requests).toEqual([]);
  expect(world.prefill.flatMap(({ requests }) => requests)).toHaveLength(1);
  world.expectNothingLeft();
});

test("the prefill for another decode engine may come from the one that did the first", () => {
  const world = worldOf({ prefill: 1, decode: 3 });
  for (const engine of world.decode.slice(0, 2))
    engine.script = (_, { socket }) => socket.cut("fin");
  expect(world.responseTo(world.ask(ask)).body.toString()).toBe(rightResponse(ask));
  expect(world.lines).toEqual([
    "200 GP_OK prefill1:9000, prefill1:9000, prefill1:9000 > decode1:9000, decode2:9000, decode3:9000",
  ]);
  world.expectNothingLeft();
});

test.each(["prefill", "decode"] as const)(
  "a refusal of a %s engine that breaks off is no whole answer",
  (role) => {
    for (const how of ["fin", "rst", "silence"] as const) {
      const world = worldOf({ prefill: 1, decode: 1 });
      world[role][0]!.script = (_, { send, after, socket }) => {
        send(`HTTP/1.1 400 Bad Request\r\nTransfer-Encoding: chunked\r\n\r\n${chunk("because")}`);
        after(20, () => socket.cut(how));
      };
      const client = world.ask(ask);
      world.runUntil(() => client.ended !== undefined, 5_000);
      expect(client.answers).toEqual([]);
      expect(client.partialBody).toBe("because");
      expect(world.lines[0]).toContain("400 GP_TRUNCATED");
      world.expectNothingLeft();
    }
  },
);

test("an engine that failed rests for its time, and is then asked again", () => {
  const world = worldOf();
  const [bad, good] = world.decode;
  bad!.connects("refused");
  const askMany = (count: number) => {
    for (let i = 0; i < count; i += 1) expect(world.responseTo(world.ask(ask)).status).toBe(200);
  };
  askMany(6);
  expect(world.lines.filter((line) => line.includes("decode1:9000"))).toHaveLength(1);
  bad!.connects(undefined);
  askMany(4);
  expect(bad!.requests).toHaveLength(0);
  world.runFor(10_000);
  askMany(4);
  expect(bad!.requests.length).toBeGreaterThan(0);
  expect(good!.requests.length + bad!.requests.length).toBe(14);
  world.expectNothingLeft();
});

test("a prefill response without end is given up, and its engine with it", () => {
  const world = worldOf({ prefill: 1, kernelBytes: 1_000_000 });
  world.prefill[0]!.script = (_, { send }) => {
    send("HTTP/1.1 200 OK\r\nContent-Length: 20000000\r\n\r\n");
    send(Buffer.alloc(20_000_000, 32));
  };
  expect(codeOf(world.responseTo(world.ask(ask)))).toBe("GP_PREFILL_INVALID");
  expect(world.prefill[0]!.openConnections).toBe(0);
  world.expectNothingLeft();
});

test("decode engines that could not fetch from a prefill engine that died are not blamed for it", () => {
  const on = ["error", "timeout", "http_500"] as const;
  const world = worldOf({ prefill: 2, decode: 3, route: { retry: { on: [...on] } } });
  const [dead] = world.prefill;
  for (const engine of world.decode) {
    engine.script = (request, connection) => {
      const { kv } = JSON.parse(request.body.toString()).kv_transfer_params as { kv: string };
      if (!kv.startsWith(`${dead!.address}#`)) decodes(request, connection);
      else connection.send(response("KV load failure", "500 Internal Server Error"));
    };
  }
  // As many as are on their way when it dies: each decode engine fails more often than `maxFails` allows.
  const first = Array.from({ length: 12 }, () => world.ask(ask));
  world.runUntil(() => first.every(({ answers }) => answers.length === 1), 10_000);
  dead!.connects("refused");
  for (let i = 0; i < 6; i += 1) expect(world.responseTo(world.ask(ask)).status).toBe(200);
  world.expectNothingLeft();
});

test("a decode engine that fails whoever it fetches from rests, and the others serve", () => {
  const world = worldOf({
    prefill: 2,
    decode: 2,
    route: { retry: { on: ["error", "http_500"] } },
  });
  const [broken] = world.decode;
  broken!.script = (_, { send }) => send(response("CUDA error", "500 Internal Server Error"));
  for (let i = 0; i < 20; i += 1) expect(world.responseTo(world.ask(ask)).status).toBe(200);
  expect(broken!.requests.length).toBeLessThan(5);
  world.expectNothingLeft();
});

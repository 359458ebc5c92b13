/** Images and the like are encoded before the prefill: each once, all of them, and never silently not. */
import { expect, test } from "vitest";
import { type Client, codeOf } from "./client.ts";
import { type Engine, response, type Script } from "./engine.ts";
import type { Message } from "./http-reader.ts";
import { World, type WorldOptions } from "./world.ts";

type Item = Readonly<Record<string, unknown>>;

const image = (name: string): Item => ({ type: "image_url", image_url: { url: `data:${name}` } });

function chat(items: readonly Item[], more = ""): string {
  const content = [{ type: "text", text: "what is this?" }, ...items];
  return `{"model":"m","messages":[{"role":"user","content":${JSON.stringify(content)}}]${more}}`;
}

function ask(world: World, body: string): Client {
  const client = world.client();
  const head = `POST /v1/chat/completions HTTP/1.1\r\nHost: a\r\nX-Request-Id: me\r\n`;
  client.send(
    `${head}Content-Type: application/json\r\nContent-Length: ${body.length}\r\n\r\n${body}`,
  );
  return client;
}

/** Of chats, which engines of the world know nothing of. */
const says: Script = (_, { send }) =>
  send(response('{"choices":[{"message":{"content":"a cat"}}]}'));
const slowly =
  (delayMs: number, then: Script): Script =>
  (request, connection) =>
    connection.after(delayMs, () => then(request, connection));

function start(options: WorldOptions = {}): World {
  const world = new World({ encode: 2, ...options });
  for (const engine of world.decode) engine.script = says;
  return world;
}

function itemOf(request: Message): Item {
  const { messages } = JSON.parse(request.body.toString()) as {
    messages: { content: [Item] }[];
  };
  return messages[0]!.content[0];
}

function encoded(world: World): Item[] {
  return world.encode.flatMap(({ requests }) => requests.map(itemOf));
}

const refuses =
  (status: string): Script =>
  (_, { send }) =>
    send(response('{"error":{"message":"no such image"}}', status));

test("each item goes to an encoder alone, without text; the prefill waits for all of them", () => {
  const world = start();
  const items = [
    image("a"),
    { type: "input_audio", input_audio: { data: "b", format: "wav" } },
    { type: "video_url", video_url: { url: "c" } },
    { type: "audio_url", audio_url: { url: "d" } },
  ];
  const before: number[] = [];
  for (const engine of world.encode) {
    engine.script = slowly(50, (_, { send }) => {
      before.push(world.prefill.flatMap(({ requests }) => requests).length);
      send(response('{"choices":[]}'));
    });
  }
  const body = chat(items, ',"mm_processor_kwargs":{"fps":2},"temperature":0.5,"stream":true');
  const { status } = world.responseTo(ask(world, body));
  expect(status).toBe(200);
  expect(before).toEqual([0, 0, 0, 0]);
  expect(encoded(world)).toHaveLength(4);
  for (const item of items) expect(encoded(world)).toContainEqual(item);
  // Spread over the encoders.
  expect(world.encode.map(({ requests }) => requests.length)).toEqual([2, 2]);
  const [first] = world.encode[0]!.requests;
  expect(first!.body.toString()).toBe(
    `{"model":"m","messages":[{"role":"user","content":[${JSON.stringify(items[0])}]}],"max_tokens":1,"stream":false,"mm_processor_kwargs":{"fps":2}}`,
  );
  const ids = world.encode.flatMap(({ requests }) =>
    requests.map(({ fields }) => fields.get("x-request-id")?.[0]),
  );
  expect(ids.sort().map((id) => id?.replace(/[0-9a-f]{6}$/, "*"))).toEqual(
    [0, 1, 2, 3].map((item) => `me:${item}:*`),
  );
  world.expectNothingLeft();
});

test("where the encoders say where the embeddings are, the prefill hears it byte for byte, and nothing of a client's", () => {
  const world = start();
  for (const engine of world.encode) {
    engine.script = (request, { send }) => {
      const name = JSON.stringify(itemOf(request)).includes("data:a") ? "a" : "b";
      send(
        response(
          `{"id":"x","ec_transfer_params": { "${name}":{"peer_port":5601,"size":18446744073709551615} },"choices":[]}`,
        ),
      );
    };
  }
  world.responseTo(ask(world, chat([image("a"), image("b")], ',"ec_transfer_params":{"evil":1}')));
  const [prefill] = world.prefill[0]!.requests;
  const [decode] = world.decode[0]!.requests;
  for (const { body } of [prefill!, decode!]) {
    expect(body.toString()).toContain(
      '"ec_transfer_params":{"a":{"peer_port":5601,"size":18446744073709551615},"b":{"peer_port":5601,"size":18446744073709551615}}',
    );
    expect(body.toString()).not.toContain("evil");
  }
  world.expectNothingLeft();
});

test("a response that says nothing of embeddings adds nothing", () => {
  const world = start();
  const said = ['{"ec_transfer_params":null}', '{"ec_transfer_params":{}}', '{"choices":[]}'];
  for (const engine of world.encode) engine.script = (_, { send }) => send(response(said.pop()!));
  world.responseTo(ask(world, chat([image("a"), image("b"), image("c")])));
  expect(world.prefill[0]!.requests[0]!.body.toString()).not.toContain("ec_transfer_params");
  world.expectNothingLeft();
});

test.each([
  ["a text", chat([])],
  ["texts", '{"messages":[{"role":"user","content":"an image_url"}]}'],
  ["nothing to read", '{"messages":[{"role":"user","content":[7,"image_url",{"type":1}]},3]}'],
  ["no messages", '{"messages":{"content":[{"type":"image_url"}]}}'],
])("a request of %s is not encoded, and its own ec_transfer_params reach nobody", (_, body) => {
  const world = start();
  const evil = body.replace(/}$/, ',"ec_transfer_params":{"evil":1}}');
  expect(world.responseTo(ask(world, evil)).status).toBe(200);
  expect(encoded(world)).toEqual([]);
  for (const { requests } of world.engines)
    for (const request of requests) expect(request.body.toString()).not.toContain("evil");
  world.expectNothingLeft();
});

test("an item that stands in the prompt twice is encoded once", () => {
  const world = start();
  world.responseTo(ask(world, chat([image("a"), image("b"), image("a")])));
  expect(encoded(world)).toHaveLength(2);
  world.expectNothingLeft();
});

test("a request of many items has a bounded number under way", () => {
  const world = start();
  let open = 0;
  let most = 0;
  for (const engine of world.encode) {
    engine.script = (_, { send, after }) => {
      open += 1;
      most = Math.max(most, open);
      after(20, () => {
        open -= 1;
        send(response("{}"));
      });
    };
  }
  const items = Array.from({ length: 100 }, (_, i) => image(`${i}`));
  expect(world.responseTo(ask(world, chat(items))).status).toBe(200);
  expect(encoded(world)).toHaveLength(100);
  expect(most).toBe(16);
  world.expectNothingLeft();
});

test("more items than that are refused before anything is sent", () => {
  const world = start();
  const items = Array.from({ length: 257 }, (_, i) => image(`${i}`));
  const { status, body } = world.responseTo(ask(world, chat(items)));
  expect([status, JSON.parse(body.toString()).error.code]).toEqual([400, "GP_TOO_MANY_ITEMS"]);
  expect(world.engines.flatMap(({ requests }) => requests)).toEqual([]);
  world.expectNothingLeft();
});

test("encoders that are full of a request's own items get the next as they are done", () => {
  const world = start({ engine: { maxConns: 1 } });
  const items = Array.from({ length: 5 }, (_, i) => image(`${i}`));
  expect(world.responseTo(ask(world, chat(items))).status).toBe(200);
  expect(encoded(world)).toHaveLength(5);
  world.expectNothingLeft();
});

test("encoders that are full of others' items are an error that may be tried again", () => {
  const world = start({ engine: { maxConns: 1 } });
  for (const engine of world.encode) engine.script = slowly(200, engine.script);
  const first = ask(world, chat([image("a"), image("b")]));
  world.runFor(20);
  const answered = world.responseTo(ask(world, chat([image("c")])));
  expect([answered.status, codeOf(answered)]).toEqual([503, "GP_ENCODE_FULL"]);
  expect(world.responseTo(first).status).toBe(200);
  world.expectNothingLeft();
});

const faults: readonly (readonly [string, string, (engine: Engine) => void])[] = [
  ["refuses connects", "GP_ENCODE_FAILED", (engine) => engine.connects("refused")],
  ["closes", "GP_ENCODE_FAILED", scripted((_, { socket }) => socket.cut("fin"))],
  ["is silent", "GP_ENCODE_TIMEOUT", scripted(() => {})],
  ["says no HTTP", "GP_ENCODE_INVALID", scripted((_, { send }) => send("SSH-2.0\r\n\r\n"))],
  [
    "breaks off",
    "GP_ENCODE_FAILED",
    scripted((_, { send, socket }) => {
      send("HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\n{}");
      socket.end();
    }),
  ],
];

function scripted(script: Script): (engine: Engine) => void {
  return (engine) => {
    engine.script = script;
  };
}

test.each(faults)("an encoder that %s is replaced by another", (_, __, befall) => {
  const world = start();
  befall(world.encode[0]!);
  expect(world.responseTo(ask(world, chat([image("a"), image("b")]))).status).toBe(200);
  expect(world.encode[1]!.requests.map(itemOf)).toHaveLength(2);
  expect(world.lines).toEqual(["200 GP_OK prefill1:9000 > decode1:9000"]);
  world.expectNothingLeft();
});

test.each(faults)(
  "where each encoder %s, the client hears of it and nothing is prefilled",
  (_, code, befall) => {
    const world = start();
    for (const engine of world.encode) befall(engine);
    const answered = world.responseTo(ask(world, chat([image("a")])));
    expect([answered.status >= 500, codeOf(answered)]).toEqual([true, code]);
    expect([...world.prefill, ...world.decode].flatMap(({ requests }) => requests)).toEqual([]);
    world.expectNothingLeft();
  },
);

test("an encoder's refusal is the client's response, and ends what is under way for the other items", () => {
  const world = start();
  world.encode[0]!.script = refuses("400 Bad Request");
  world.encode[1]!.script = () => {};
  const answered = world.responseTo(ask(world, chat([image("a"), image("b"), image("c")])));
  expect(answered.status).toBe(400);
  expect(answered.body.toString()).toBe('{"error":{"message":"no such image"}}');
  expect(world.lines).toEqual(["400 GP_OK - > -"]);
  world.runFor(20);
  expect(world.encode[1]!.openConnections).toBe(0);
  world.expectNothingLeft();
});

test("a status for which the route tries another is not the client's response while there is another", () => {
  const retry = { on: ["http_503"] as const, tries: 0, timeoutMs: 0 };
  const world = start({ route: { retry: { ...retry, on: [...retry.on] } } });
  world.encode[0]!.script = refuses("503 Service Unavailable");
  expect(world.responseTo(ask(world, chat([image("a"), image("b")]))).status).toBe(200);
  world.encode[1]!.script = refuses("503 Service Unavailable");
  const answered = world.responseTo(ask(world, chat([image("a"), image("b")])));
  expect([answered.status, answered.body.toString()]).toEqual([
    503,
    '{"error":{"message":"no such image"}}',
  ]);
  world.expectNothingLeft();
});

test("an encoder's response that is no JSON is an error", () => {
  const world = start();
  for (const engine of world.encode) engine.script = (_, { send }) => send(response("<html>"));
  const answered = world.responseTo(ask(world, chat([image("a"), image("b")])));
  expect([answered.status, codeOf(answered)]).toEqual([502, "GP_ENCODE_INVALID"]);
  world.expectNothingLeft();
});

test("an endless refusal is not passed on for ever", () => {
  const world = start();
  const endless = "x".repeat(3_000_000);
  for (const engine of world.encode)
    engine.script = (_, { send }) => send(response(endless, "500 Internal Server Error"));
  const answered = world.responseTo(ask(world, chat([image("a")])));
  expect([answered.status, codeOf(answered)]).toEqual([502, "GP_ENCODE_INVALID"]);
  world.expectNothingLeft();
});

test("a client that goes away takes its encodes with it", () => {
  const world = start();
  for (const engine of world.encode) engine.script = () => {};
  const client = ask(world, chat([image("a"), image("b"), image("c")]));
  world.runUntil(() => encoded(world).length === 3, 100);
  client.socket.destroy();
  world.runFor(20);
  expect(world.encode.map(({ openConnections }) => openConnections)).toEqual([0, 0]);
  expect(world.prefill.flatMap(({ requests }) => requests)).toEqual([]);
  world.expectNothingLeft();
});

test("engines that prefill and decode themselves get the embeddings as well", () => {
  const world = start({
    routes: [
      { match: { path: "/v1/chat" }, encode: { pool: "encode" }, target: { pool: "decode" } },
    ],
  });
  for (const engine of world.decode) engine.checksTransfer = false;
  for (const engine of world.encode)
    engine.script = (_, { send }) => send(response('{"ec_transfer_params":{"a":{"p":1}}}'));
  expect(world.responseTo(ask(world, chat([image("a")]))).status).toBe(200);
  const [request] = world.decode[0]!.requests;
  expect(request!.body.toString()).toBe(chat([image("a")], ',"ec_transfer_params":{"a":{"p":1}}'));
  expect(world.prefill.flatMap(({ requests }) => requests)).toEqual([]);
  world.expectNothingLeft();
});

test("the load of prefill and decode is not measured by the bytes of an image", () => {
  const world = start({ prefill: 1, decode: 1 });
  world.prefill[0]!.script = () => {};
  ask(world, chat([image("a".repeat(1_000_000)), image("b")]));
  world.runUntil(() => world.prefill[0]!.requests.length === 1, 1_000);
  const slots = Array.from({ length: 4 }, (_, slot) => world.board.promptBytes(slot));
  const load = slots.reduce((sum, bytes) => sum + bytes, 0);
  expect(load).toBeGreaterThan(2 * 4_096);
  expect(load).toBeLessThan(3 * 4_096);
  world.expectNothingLeft();
});

test("an encode may have a location of its own, as a prefill may", () => {
  const world = start({
    routes: [
      { match: { path: "/v1/chat" }, encode: { location: "/enc" }, target: { pool: "decode" } },
      {
        match: { path: "/enc/" },
        internal: true,
        target: { pool: "encode", uri: "/" },
        setHeaders: { "X-Leg": "encode" },
      },
    ],
  });
  for (const engine of world.decode) engine.checksTransfer = false;
  expect(world.responseTo(ask(world, chat([image("a")]))).status).toBe(200);
  const [request] = world.encode[0]!.requests;
  expect(request!.startLine).toBe("POST /v1/chat/completions HTTP/1.1");
  expect(request!.fields.get("x-leg")).toEqual(["encode"]);
  expect(world.decode[0]!.requests[0]!.fields.has("x-leg")).toBe(false);
  world.expectNothingLeft();
});

test("a large image goes out as it came", () => {
  const world = start();
  const large = image("a".repeat(3_000_000));
  expect(world.responseTo(ask(world, chat([large]))).status).toBe(200);
  expect(encoded(world)).toEqual([large]);
  world.expectNothingLeft();
});

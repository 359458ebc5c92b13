/** What is allowed but unusual, on either side, and what engines do wrong. */
import { expect, test } from "vitest";
import { filteredResponseBytesMax } from "../../src/limits.ts";
import { completion } from "./client.ts";
import {
  bodyOf,
  chunk,
  chunkedHead,
  decodes,
  decodesUntilClosed,
  response,
  type Script,
} from "./engine.ts";
import { jsonResponse, requestBody, rightResponse } from "./prompts.ts";
import { World, type WorldOptions } from "./world.ts";

const json = { prompt: "odd", stream: false };
const stream = { prompt: "odd", stream: true };

function worldWith(script: Script, options: WorldOptions = {}): World {
  const world = new World({ decode: 1, ...options });
  for (const engine of world.decode) engine.script = script;
  return world;
}

const rightJson = jsonResponse(json.prompt);

// ---- Around a response ----

test.each([
  [
    "at once",
    (text: string): Script =>
      (_, { send }) =>
        send(response(rightJson) + text),
  ],
  [
    "a little later",
    (text: string): Script =>
      (_, { send, after }) => {
        send(response(rightJson));
        after(1, () => send(text));
      },
  ],
])(
  "bytes behind a response, %s, reach no client, and the connection is not used again",
  (_, script) => {
    const evil = response('{"evil":true}').toString();
    const world = worldWith(script(evil));
    const client = world.ask(json);
    expect(world.responseTo(client).body.toString()).toBe(rightJson);
    world.runFor(10);
    expect(world.decode[0]!.openConnections).toBe(0);
    client.send(completion(json));
    expect(world.responseTo(client).body.toString()).toBe(rightJson);
    expect(client.receivedText).not.toContain("evil");
    world.expectNothingLeft();
  },
);

test("bytes behind the last chunk reach no client", () => {
  const world = worldWith((_, { send }) =>
    send(`${chunkedHead}${chunk("data: 1\n\n")}0\r\n\r\n7\r\nevil!!!\r\n`),
  );
  const client = world.ask(stream);
  expect(world.responseTo(client).body.toString()).toBe("data: 1\n\n");
  world.runFor(10);
  expect(client.receivedText).not.toContain("evil");
  expect(world.decode[0]!.openConnections).toBe(0);
  world.expectNothingLeft();
});

test("interim responses are skipped, however many", () => {
  const interim = "HTTP/1.1 103 Early Hints\r\nLink: </a>\r\n\r\n".repeat(50);
  const world = worldWith((_, { send }) => send(interim + response(rightJson)), {
    readBytes: [1, 30],
  });
  expect(world.responseTo(world.ask(json)).body.toString()).toBe(rightJson);
  world.expectNothingLeft();
});

test("interim responses without end are ended by the read time-out", () => {
  const world = worldWith((_, { send, after, socket }) => {
    const more = () => {
      if (socket.closed) return;
      send("HTTP/1.1 102 Processing\r\n\r\n");
      after(50, more);
    };
    more();
  });
  expect(world.responseTo(world.ask(json)).status).toBe(504);
  world.expectNothingLeft();
});

test("a response that comes before the request was sent is the response", () => {
  const world = new World({ decode: 1, kernelBytes: 30_000 });
  const [engine] = world.decode;
  // It has read a part of the head, and reads no more.
  engine!.accepted = ({ socket, send }) => {
    socket.atBytesRead(20, () => {
      socket.pause();
      send(response("too large", "413 Content Too Large"));
    });
  };
  const client = world.client();
  const body = "x".repeat(500_000);
  client.send(`POST /upload HTTP/1.1\r\nHost: p\r\nContent-Length: ${body.length}\r\n\r\n${body}`);
  const early = world.responseTo(client);
  expect([early.status, early.body.toString()]).toEqual([413, "too large"]);
  // The rest of the request is never sent, so nothing else may be.
  world.runFor(5);
  const { socket } = engine!.connections[0]!;
  expect(socket.peer!.closed).toBe(true);
  socket.destroy();
  world.expectNothingLeft();
});

test("a response that comes before the request was sent is the response, though a reset follows it", () => {
  const world = new World({ decode: 1, kernelBytes: 30_000 });
  world.decode[0]!.accepted = ({ socket, send }) => {
    socket.atBytesRead(20, () => {
      send(response("too large", "413 Content Too Large"));
      socket.destroy();
    });
  };
  const client = world.client();
  const body = "x".repeat(500_000);
  client.send(`POST /upload HTTP/1.1\r\nHost: p\r\nContent-Length: ${body.length}\r\n\r\n${body}`);
  expect(world.responseTo(client).status).toBe(413);
  world.expectNothingLeft();
});

test("a response with a length that is too large to be buffered is passed on as it comes", () => {
  const whole = response("l".repeat(filteredResponseBytesMax + 1));
  const sends = (bytes: number): Script => {
    return (_, { send, after, socket }) => {
      send(whole.subarray(0, 500_000));
      after(20, () => send(whole.subarray(500_000, bytes)));
      after(40, () => socket.cut("fin"));
    };
  };
  const world = worldWith(sends(whole.length), { kernelBytes: 2 * filteredResponseBytesMax });
  const client = world.ask(json);
  world.runFor(12);
  expect(client.midway).toBe(true);
  expect(world.responseTo(client).body.length).toBe(filteredResponseBytesMax + 1);
  world.decode[0]!.script = sends(whole.length - 1);
  client.send(completion(json));
  world.runUntil(() => client.ended !== undefined, 1_000);
  expect(client.answers).toHaveLength(1);
  expect(client.midway).toBe(true);
  world.expectNothingLeft();
});

// ---- Kinds of responses ----

test.each([
  ["chunked without data", `${chunkedHead}0\r\n\r\n`],
  ["of no length", "HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n"],
  ["204", "HTTP/1.1 204 No Content\r\n\r\n"],
  ["304", "HTTP/1.1 304 Not Modified\r\nETag: a\r\n\r\n"],
  [
    "304 with the length of what it spares",
    "HTTP/1.1 304 Not Modified\r\nContent-Length: 99\r\n\r\n",
  ],
])("an answer without a body is complete at once: %s", (_, text) => {
  const world = worldWith((_request, { send }) => send(text));
  const client = world.client();
  for (let i = 0; i < 3; i += 1) client.send("GET /thing HTTP/1.1\r\nHost: p\r\n\r\n", "GET");
  world.runUntil(() => client.answers.length === 3, 100);
  expect(client.answers.map(({ body }) => body.length)).toEqual([0, 0, 0]);
  expect(client.midway).toBe(false);
  expect(world.decode[0]!.connections).toHaveLength(1);
  world.expectNothingLeft();
});

test.each([
  ["a length", "Content-Length: 1234"],
  ["chunks", "Transfer-Encoding: chunked"],
  ["neither", "X-Other: 1"],
])("HEAD has no body, though its head announces %s", (_, line) => {
  const world = worldWith((_request, { send }) => send(`HTTP/1.1 200 OK\r\n${line}\r\n\r\n`));
  const client = world.client();
  for (let i = 0; i < 2; i += 1) client.send("HEAD /thing HTTP/1.1\r\nHost: p\r\n\r\n", "HEAD");
  world.runUntil(() => client.answers.length === 2, 100);
  expect(client.ended).toBeUndefined();
  expect(world.decode[0]!.connections).toHaveLength(1);
  world.expectNothingLeft();
});

test.each([
  "HTTP/1.1 200 OK\r\n\r\n",
  "HTTP/1.1 200 OK\r\nConnection: close\r\n\r\n",
  "HTTP/1.0 200 OK\r\n\r\n",
])("an answer that ends with its connection is whole (%j)", (head) => {
  const world = worldWith((_, { send, after, socket }) => {
    send(`${head}one `);
    after(5, () => send("two"));
    after(10, () => socket.end());
  });
  const client = world.ask(json);
  expect(world.responseTo(client).body.toString()).toBe("one two");
  client.send(completion(json));
  expect(world.responseTo(client).body.toString()).toBe("one two");
  world.expectNothingLeft();
});

test("trailers and chunk extensions end at the proxy", () => {
  const world = worldWith((_, { send }) =>
    send(`${chunkedHead}5;a="b"\r\nhello\r\n0;last\r\nX-Sum: 1\r\n\r\n`),
  );
  const client = world.ask(stream);
  expect(world.responseTo(client).body.toString()).toBe("hello");
  expect(client.receivedText).not.toMatch(/;a|X-Sum|;last/);
  world.expectNothingLeft();
});

test("header lines of one hop end at the proxy", () => {
  const lines =
    "Connection: x-hop, keep-alive\r\nKeep-Alive: timeout=5\r\nX-Hop: 1\r\nProxy-Authenticate: a\r\nX-End: 2\r\n";
  const world = worldWith((_, { send }) => send(response(rightJson, "200 OK", lines)));
  const got = world.responseTo(world.ask(json));
  for (const name of ["connection", "keep-alive", "x-hop", "proxy-authenticate"])
    expect(got.fields.has(name), name).toBe(false);
  expect(got.fields.get("x-end")).toEqual(["2"]);
  world.expectNothingLeft();
});

// ---- Clients ----

test("what has nothing to prefill goes to a decode engine alone", () => {
  const world = worldWith((_, { send }) =>
    send(response("no such method", "405 Method Not Allowed")),
  );
  const client = world.client();
  client.send("GET /v1/completions HTTP/1.1\r\nHost: p\r\n\r\n", "GET");
  expect(world.responseTo(client).status).toBe(405);
  expect(world.lines).toEqual(["405 GP_OK - > decode1:9000"]);
  world.expectNothingLeft();
});

test("an HTTP/1.0 client gets what it understands, and the end of the connection", () => {
  for (const script of [decodes, decodesUntilClosed]) {
    const world = worldWith(script);
    const client = world.ask(stream, "", "1.0");
    world.runUntil(() => client.ended !== undefined, 1_000);
    const [got] = client.answers;
    expect(got!.body.toString()).toBe(rightResponse(stream));
    expect(got!.fields.has("transfer-encoding")).toBe(false);
    expect(client.ended).toBe("fin");
    world.expectNothingLeft();
  }
});

test("an HTTP/1.0 client that asks for it keeps its connection, where the response has a length", () => {
  const world = worldWith(decodes);
  const client = world.client();
  for (let i = 0; i < 3; i += 1) client.send(completion(json, "Connection: keep-alive\r\n", "1.0"));
  client.send(completion(json, "", "1.0"));
  world.runUntil(() => client.ended !== undefined, 1_000);
  expect(client.answers.map(({ body }) => body.toString())).toEqual(Array(4).fill(rightJson));
  expect(client.answers.map(({ fields }) => fields.get("connection")?.[0])).toEqual([
    "keep-alive",
    "keep-alive",
    "keep-alive",
    "close",
  ]);
  world.expectNothingLeft();
});

test("a client that wants its connection closed has it closed after the response", () => {
  const world = worldWith(decodes);
  const client = world.ask(stream, "Connection: close\r\n");
  world.runUntil(() => client.ended !== undefined, 1_000);
  expect(client.answers[0]!.body.toString()).toBe(rightResponse(stream));
  expect(client.answers[0]!.fields.get("connection")).toEqual(["close"]);
  world.expectNothingLeft();
});

test.each([[1], [7], [100_000]])(
  "a chunked request reaches both engines with a length (chunks of %i bytes)",
  (size) => {
    const world = new World();
    const client = world.client();
    const body = requestBody(json);
    let chunks = "";
    for (let i = 0; i < body.length; i += size) chunks += chunk(body.slice(i, i + size));
    client.send(
      `POST /v1/completions HTTP/1.1\r\nHost: p\r\nTransfer-Encoding: chunked\r\n\r\n${chunks}0\r\nX-Trailer: 1\r\n\r\n`,
    );
    expect(world.responseTo(client).body.toString()).toBe(rightJson);
    const [prefill, decode] = [world.prefill[0]!.requests[0]!, world.decode[0]!.requests[0]!];
    expect(prefill.fields.get("content-length")).toEqual([String(prefill.body.length)]);
    expect(bodyOf(decode).prompt).toBe(json.prompt);
    world.expectNothingLeft();
  },
);

test("a client that asks before it sends its body is invited to send it", () => {
  const world = new World();
  const client = world.client();
  const whole = completion(json, "Expect: 100-continue\r\n");
  const bodyStart = whole.indexOf("\r\n\r\n") + 4;
  client.send(whole.slice(0, bodyStart));
  world.runUntil(() => client.interim.length > 0, 100);
  expect(client.interim).toEqual([100]);
  client.send(whole.slice(bodyStart), "");
  expect(world.responseTo(client).body.toString()).toBe(rightJson);
  // One that does not wait is not told.
  client.send(whole);
  expect(world.responseTo(client).body.toString()).toBe(rightJson);
  expect(client.interim).toEqual([100]);
  world.expectNothingLeft();
});

test("a client that asks before it sends too much is rejected instead", () => {
  const world = new World({ route: { bodyBytesMax: 10 } });
  const client = world.client();
  client.send("POST /x HTTP/1.1\r\nHost: p\r\nContent-Length: 11\r\nExpect: 100-continue\r\n\r\n");
  expect(world.responseTo(client).status).toBe(413);
  expect(client.interim).toEqual([]);
  world.expectNothingLeft();
});

test("a local reply without content announces none", () => {
  const returns = (status: number) => ({
    match: { path: `/${status}` },
    steps: [{ return: { status } }],
  });
  const world = new World({ routes: [returns(204), returns(304), returns(200), returns(404)] });
  const client = world.client();
  for (const status of [204, 304, 200, 404])
    client.send(`GET /${status} HTTP/1.1\r\nHost: p\r\n\r\n`, "GET");
  for (const status of [204, 404])
    client.send(`HEAD /${status} HTTP/1.1\r\nHost: p\r\n\r\n`, "HEAD");
  world.runUntil(() => client.answers.length === 6, 100);
  expect(client.answers.map(({ status }) => status)).toEqual([204, 304, 200, 404, 204, 404]);
  world.expectNothingLeft();
});

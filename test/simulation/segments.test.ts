/** However the bytes of an exchange are cut into segments, what arrives at either end is the same. */
import { expect, test } from "vitest";
import { completion } from "./client.ts";
import { chunkedHead, decodesUntilClosed, response, type Script } from "./engine.ts";
import { requestBody } from "./prompts.ts";
import { World, type WorldOptions } from "./world.ts";

const trailers: Script = (_request, { send }) => {
  send(`${chunkedHead}5;name=value\r\nhello\r\n`);
  send("6\r\n world\r\n0\r\nX-Sum: 1\r\n\r\n");
};

const ask = { prompt: 'a "quoted" prompt\\ with ü', stream: false };
const streamed = { prompt: "streamed", stream: true };

function chunked(text: string): string {
  const head = "POST /v1/completions HTTP/1.1\r\nHost: p\r\nX-Request-Id: r-2\r\n";
  const middle = Math.floor(text.length / 2);
  const parts = [text.slice(0, middle), text.slice(middle)];
  const chunks = parts.map((part) => `${Buffer.byteLength(part).toString(16)}\r\n${part}\r\n`);
  return `${head}Transfer-Encoding: chunked\r\n\r\n${chunks.join("")}0\r\n\r\n`;
}

interface Exchange {
  readonly name: string;
  readonly requests: readonly string[];
  readonly decode?: Script;
  /** The proxy frames this body itself, by what arrives: only the data is the same. */
  readonly reframed?: boolean;
}

const exchanges: readonly Exchange[] = [
  { name: "json", requests: [completion(ask)] },
  { name: "stream", requests: [completion(streamed)] },
  { name: "chunked request", requests: [chunked(requestBody(ask))] },
  {
    name: "pipelined",
    requests: [completion(ask), chunked(requestBody(ask)), completion(streamed)],
  },
  { name: "extensions and trailers", requests: [completion(streamed)], decode: trailers },
  {
    name: "refused by the engine",
    requests: [completion(ask)],
    decode: (_, { send }) => send(response("no", "418 Teapot", "X-Why: tea\r\n")),
  },
  {
    name: "interim answers",
    requests: [completion(ask)],
    decode: (_, { send }) => send(`HTTP/1.1 103 Early Hints\r\nLink: a\r\n\r\n${response("yes")}`),
  },
  {
    name: "until closed",
    requests: [completion(streamed)],
    decode: decodesUntilClosed,
    reframed: true,
  },
  {
    name: "malformed in the middle",
    requests: [completion(ask), "G@RBAGE\r\n\r\n", completion(ask)],
  },
];

/** All that arrived at both ends. */
function run({ requests, decode, reframed }: Exchange, options: WorldOptions) {
  const world = new World(options);
  if (decode !== undefined) for (const engine of world.decode) engine.script = decode;
  const client = world.client();
  for (const request of requests) client.send(request);
  world.runUntil(
    () => client.answers.length === requests.length || client.ended !== undefined,
    20_000,
  );
  world.expectNothingLeft();
  const answers = client.answers.map(({ startLine, fields, body }) => ({
    startLine,
    fields: [...fields].filter(([name]) => name !== "date"),
    body: body.toString(),
  }));
  const engines = world.engines.map((engine) =>
    engine.requests.map(({ startLine, fields, body }) => [startLine, [...fields], body.toString()]),
  );
  const bytes = reframed ? "" : client.receivedText.replace(/Date: [^\r]*/g, "Date");
  return { answers, engines, bytes, lines: world.lines };
}

test.each(exchanges)("segments of any size: $name", (exchange) => {
  const whole = run(exchange, {});
  expect(whole.answers.length).toBeGreaterThan(0);
  for (const size of [1, 2, 3, 5, 17])
    expect(run(exchange, { readBytes: [size, size] })).toEqual(whole);
  for (let seed = 1; seed <= 40; seed += 1) {
    const found = run(exchange, {
      seed,
      readBytes: [1, 60],
      latencyMs: [0, 8],
      kernelBytes: 40 + seed,
    });
    expect(found, `seed ${seed}`).toEqual(whole);
  }
});

/**
 * Decode is asked first, and its response says whether the prompt has to be computed elsewhere: no such response
 * reaches a client.
 */
import { expect, test } from "vitest";
import { codeOf } from "./client.ts";
import { bodyOf, chunk, chunkedHead, decodes, response, type Script } from "./engine.ts";
import { rightResponse } from "./prompts.ts";
import { World, type WorldOptions } from "./world.ts";

const json = { prompt: "not here", stream: false };
const stream = { prompt: "not here", stream: true };
const choice = '{"index":0,"text":"","finish_reason":"cache_threshold"}';
const miss = `{"id":"x","choices":[${choice}]}`;

const thresholdOf = (request: Parameters<Script>[0]) =>
  (bodyOf(request) as { cache_hit_threshold?: number }).cache_hit_threshold;

/** Has nothing of any prompt, and computes only what it is told to. */
const givesBack: Script = (request, connection) => {
  if (thresholdOf(request) === 0) decodes(request, connection);
  else if (bodyOf(request).stream !== true) connection.send(response(miss));
  else {
    connection.send(chunkedHead + chunk(`data: ${miss}\n\n`));
    // What ends the response comes on its own.
    connection.after(5, () => connection.send(`${chunk("data: [DONE]\n\n")}0\r\n\r\n`));
  }
};

const prefillsForOthers: Script = (request, { send, engine }) => {
  if (thresholdOf(request) !== 0) engine.violations.push("a prefill that may be given back");
  send(response('{"choices":[]}'));
};

function worldOf(decode: Script, options: WorldOptions = {}): World {
  const route = { dialect: "cache-threshold", ...options.route } as const;
  const world = new World({ decode: 1, ...options, route });
  for (const engine of world.engines) engine.checksTransfer = false;
  for (const engine of world.prefill) engine.script = prefillsForOthers;
  for (const engine of world.decode) engine.script = decode;
  return world;
}

const thresholds = (world: World) =>
  world.decode.flatMap(({ requests }) => requests.map(thresholdOf));
const prefillsOf = (world: World) => world.prefill.flatMap(({ requests }) => requests).length;

test.each([json, stream])(
  "a prompt that is given back is prefilled and asked for once more: %o",
  (ask) => {
    const world = worldOf(givesBack);
    const client = world.ask(ask, "Accept-Encoding: gzip\r\n");
    const { status, body } = world.responseTo(client);
    expect({ status, body: body.toString() }).toEqual({ status: 200, body: rightResponse(ask) });
    expect(thresholds(world)).toEqual([0.8, 0]);
    expect(prefillsOf(world)).toBe(1);
    // Both answers of decode came over the same connection, and in plain text.
    expect(world.decode[0]!.connections).toHaveLength(1);
    expect(world.decode[0]!.requests.map(({ fields }) => fields.has("accept-encoding"))).toEqual([
      false,
      false,
    ]);
    expect(client.receivedText).not.toContain("cache_threshold");
    world.expectNothingLeft();
  },
);

test.each([json, stream])("a prompt that is there costs no prefill: %o", (ask) => {
  const world = worldOf(decodes);
  expect(world.responseTo(world.ask(ask)).body.toString()).toBe(rightResponse(ask));
  expect(prefillsOf(world)).toBe(0);
  world.expectNothingLeft();
});

test.each([json, stream])(
  "an engine that gives a prompt back after its prefill has failed: %o",
  (ask) => {
    const world = worldOf((request, connection) => {
      const changed = request.body.toString().replace('"cache_hit_threshold":0', '"x":0');
      givesBack({ ...request, body: Buffer.from(changed) }, connection);
    });
    const refused = world.responseTo(world.ask(ask));
    expect(refused.status).toBe(502);
    expect(codeOf(refused)).toBe("GP_DECODE_INVALID");
    world.expectNothingLeft();
  },
);

test("a prefill that fails after that is an error, or decode computes the prompt where the route says so", () => {
  const fails: Script = (_, { send }) => send(response("{}", "503 Service Unavailable"));
  const strict = worldOf(givesBack, { prefill: 1 });
  const lenient = worldOf(givesBack, { prefill: 1, route: { onPrefillFailure: "decode_only" } });
  for (const world of [strict, lenient]) {
    for (const engine of world.prefill) engine.script = fails;
  }
  expect(strict.responseTo(strict.ask(stream)).status).toBe(503);
  expect(lenient.responseTo(lenient.ask(stream)).body.toString()).toBe(rightResponse(stream));
  expect(thresholds(lenient)).toEqual([0.8, 0]);
  strict.expectNothingLeft();
  lenient.expectNothingLeft();
});

test.each([json, stream])(
  "a decode that dies before it has said anything is tried elsewhere: %o",
  (ask) => {
    const world = worldOf(givesBack, { decode: 2 });
    world.decode[0]!.script = (_, { send, after, socket }) => {
      send(`${chunkedHead}${chunk("data: {")}`);
      after(5, () => socket.reset());
    };
    expect(world.responseTo(world.ask(ask)).body.toString()).toBe(rightResponse(ask));
    world.expectNothingLeft();
  },
);

test("a long response goes through whole, in one piece or in chunks", () => {
  const long = JSON.stringify({ choices: [{ text: "x".repeat(300_000), finish_reason: "stop" }] });
  for (const chunked of [false, true]) {
    const world = worldOf((_, { send }) => {
      const head = chunkedHead.replace("text/event-stream", "application/json");
      const half = long.length / 2;
      if (!chunked) send(response(long));
      else send(`${head}${chunk(long.slice(0, half))}${chunk(long.slice(half))}0\r\n\r\n`);
    });
    expect(world.responseTo(world.ask(json)).body.toString()).toBe(long);
    world.expectNothingLeft();
  }
});

test.each([10, 300_000])(
  "a response of %i bytes after a prefill has the cached tokens of that",
  (bytes) => {
    const usage = (cached: number) => ({ prompt_tokens_details: { cached_tokens: cached } });
    const text = "x".repeat(bytes);
    const reported = (cached: number) =>
      JSON.stringify({ choices: [{ text, finish_reason: "stop" }], usage: usage(cached) });
    const world = worldOf((request, connection) => {
      if (thresholdOf(request) === 0) connection.send(response(reported(7)));
      else givesBack(request, connection);
    });
    for (const engine of world.prefill) {
      engine.script = (_, { send }) => send(response(JSON.stringify({ usage: usage(3) })));
    }
    expect(world.responseTo(world.ask(json)).body.toString()).toBe(reported(3));
    world.expectNothingLeft();
  },
);

test("a client that leaves, whenever it does, leaves nothing behind", () => {
  for (let ms = 0; ms < 60; ms += 1) {
    const world = worldOf(givesBack, { seed: ms });
    for (const engine of world.prefill) {
      engine.script = (request, connection) =>
        connection.after(10, () => prefillsForOthers(request, connection));
    }
    const client = world.ask(stream);
    world.runFor(ms);
    client.socket.destroy();
    world.runFor(20);
    world.expectNothingLeft();
  }
});

/** Hand-overs that live by the request id: engines get it whatever else is said of ids, and no client sees it. */
import { describe, expect, test } from "vitest";
import { codeOf, completion } from "./client.ts";
import { bodyOf, chunk, chunkedHead, response, type Script } from "./engine.ts";
import { World, type WorldOptions } from "./world.ts";

const json = { prompt: "the sea", stream: false };
const stream = { prompt: "the sea", stream: true };
const pattern = /^___prefill_addr_prefill\d:14579___decode_addr_decode(\d):14579_[0-9a-f]{32}$/;

const idOf = (request: Parameters<Script>[0]) => request.fields.get("x-request-id")!.join();

/** As vLLM answers: the id is in each event, and in a header where the engine is told to give it. */
const repeatsId: Script = (request, { send, after }) => {
  const id = idOf(request);
  const event = `{"id":"cmpl-${id}","choices":[{"text":"${id}"}]}`;
  if (bodyOf(request).stream !== true) {
    send(response(event, "200 OK", `X-Request-Id: ${id}\r\n`));
    return;
  }
  send(chunkedHead);
  // An event may come in two parts, and two in one.
  const text = `data: ${event}\n\n`;
  [text + text.slice(0, 40), `${text.slice(40)}data: [DONE]\n\n`].forEach((part, i) => {
    after(10 * (i + 1), () => send(chunk(part) + (i === 1 ? "0\r\n\r\n" : "")));
  });
};

function worldOf(options: WorldOptions = {}): World {
  const world = new World({ ...options, route: { dialect: "vllm-p2p-nccl", ...options.route } });
  for (const engine of world.engines) engine.checksTransfer = false;
  for (const engine of world.prefill) engine.script = (_, { send }) => send(response('{"id":"p"}'));
  for (const engine of world.decode) engine.script = repeatsId;
  return world;
}

const asked = (world: World) => world.engines.flatMap(({ requests }) => requests);

describe.each([json, stream])("%o", (ask) => {
  test.each([
    ["a client's own", {}, "r-1"],
    ["one that the route sets", { setHeaders: { "X-Request-Id": "$request_id" } }, "r-1"],
    ["one that the proxy gives no more", { requestId: false }, "r-1"],
  ] as const)("both engines get the addresses, and the client sees %s", (_, route, own) => {
    const world = worldOf({ route });
    const client = world.ask(ask);
    const { status, body } = world.responseTo(client);
    expect(status).toBe(200);
    const ids = asked(world).map(idOf);
    expect(ids).toHaveLength(2);
    expect(ids[0]).toBe(ids[1]);
    // The engine that the id names is the one that decodes.
    const [, decode] = pattern.exec(ids[0]!)!;
    expect(world.decode[Number(decode) - 1]!.requests).toHaveLength(1);
    const event = `{"id":"cmpl-${own}","choices":[{"text":"${own}"}]}`;
    const whole = `data: ${event}\n\n`;
    expect(body.toString()).toBe(ask.stream ? `${whole}${whole}data: [DONE]\n\n` : event);
    expect(client.receivedText.replaceAll(/^X-Request-Id:.*$/gim, "")).not.toContain("_addr_");
    world.expectNothingLeft();
  });

  test("another decode engine gets the KV cache pushed by a prefill of its own, under another id", () => {
    const world = worldOf({ route: { retry: { on: ["error", "timeout"] } } });
    world.decode[0]!.script = (_, { socket }) => socket.destroy();
    const answers = [1, 2].map(() => world.responseTo(world.ask(ask)).status);
    expect(answers).toEqual([200, 200]);
    const prefillIds = world.prefill.flatMap(({ requests }) => requests.map(idOf));
    expect(new Set(prefillIds).size).toBe(prefillIds.length);
    for (const [index, { requests }] of world.decode.entries()) {
      for (const request of requests) {
        expect(pattern.exec(idOf(request))![1]).toBe(`${index + 1}`);
        expect(prefillIds).toContain(idOf(request));
      }
    }
    expect(prefillIds.length).toBeGreaterThan(2);
    world.expectNothingLeft();
  });
});

test("a request that the dialect cannot transfer is rejected, and reaches no engine", () => {
  const world = worldOf({ route: { onPrefillFailure: "decode_only" } });
  const client = world.client();
  client.send(completion(json).replace('"model":"m",', '"n":2222222,'));
  const refused = world.responseTo(client);
  expect([refused.status, codeOf(refused)]).toEqual([400, "GP_UNSUPPORTED_REQUEST"]);
  expect(asked(world)).toEqual([]);
  world.expectNothingLeft();
});

test("decode is never left to compute a prompt, be it short or the prefill gone", () => {
  const route = { onPrefillFailure: "decode_only", prefillMinTokens: 1_000_000 } as const;
  const world = worldOf({ route });
  for (const engine of world.prefill) engine.connects("refused");
  expect(world.responseTo(world.ask(json)).status).toBe(502);
  expect(world.decode.flatMap(({ requests }) => requests)).toEqual([]);
  world.expectNothingLeft();
});

test.each(["{}", '{"kv_transfer_params":{"remote_engine_id":"e"}}'])(
  "a prefill that hands over nothing (%s) is an error, where decode would make a response of empty memory",
  (said) => {
    const world = worldOf({ route: { dialect: "moriio-read", onPrefillFailure: "decode_only" } });
    for (const engine of world.prefill) engine.script = (_, { send }) => send(response(said));
    const failed = world.responseTo(world.ask(stream));
    expect([failed.status, codeOf(failed)]).toEqual([502, "GP_PREFILL_INVALID"]);
    expect(world.decode.flatMap(({ requests }) => requests)).toEqual([]);
    world.expectNothingLeft();
  },
);

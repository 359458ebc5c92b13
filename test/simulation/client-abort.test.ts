/** A client that goes away, by whatever means and in whatever phase, ends both legs at once. */
import { expect, test } from "vitest";
import { type Client, completion } from "./client.ts";
import { chunk, chunkedHead, response, type Script } from "./engine.ts";
import { World } from "./world.ts";

const silent: Script = () => {};
const ask = { prompt: "going away", stream: true };

interface Phase {
  readonly name: string;
  /** Brings an exchange into the phase. */
  begin(world: World, client: Client): void;
  /** Of the access log; undefined = no request was there yet. */
  readonly line: string | undefined;
}

function script(role: "prefill" | "decode", what: Script): Phase["begin"] {
  return (world, client) => {
    for (const engine of world[role]) engine.script = what;
    client.send(completion(ask));
  };
}

const gone = "GP_CLIENT_GONE prefill1:9000 >";
const phases: readonly Phase[] = [
  { name: "before its first byte", begin() {}, line: undefined },
  {
    name: "in its head",
    begin: (_, client) => client.send("POST /v1/completions HT"),
    line: "400 GP_CLIENT_GONE - > -",
  },
  {
    name: "in its body",
    begin: (_, client) => client.send(completion(ask).slice(0, -5)),
    line: "400 GP_CLIENT_GONE - > -",
  },
  {
    name: "while the prefill engine is connected to",
    begin(world, client) {
      world.prefill[0]!.connects("silence");
      client.send(completion(ask));
    },
    line: `499 ${gone} -`,
  },
  { name: "in the prefill", begin: script("prefill", silent), line: `499 ${gone} -` },
  {
    name: "in the prefill's answer",
    begin: script("prefill", (_, { send }) => send(response("{}").subarray(0, -1))),
    line: `499 ${gone} -`,
  },
  {
    name: "while the decode engine is connected to",
    begin(world, client) {
      world.decode[0]!.connects("silence");
      client.send(completion(ask));
    },
    line: `499 ${gone} decode1:9000`,
  },
  {
    name: "before decode's head",
    begin: script("decode", silent),
    line: `499 ${gone} decode1:9000`,
  },
  {
    name: "after decode's head",
    begin: script("decode", (_, { send }) => send(chunkedHead)),
    line: `499 ${gone} decode1:9000`,
  },
  {
    name: "in a held answer",
    begin: script("decode", (_, { send }) => send(response("{}").subarray(0, -1))),
    line: `499 ${gone} decode1:9000`,
  },
  {
    name: "in the stream",
    begin: script("decode", (_, { send }) =>
      send(chunkedHead + chunk('data: {"choices":[{"text":"a"}]}\n\n')),
    ),
    line: `200 ${gone} decode1:9000`,
  },
];

const ways = {
  "closing its side": (client: Client) => client.socket.end(),
  closing: (client: Client) => client.socket.destroy(),
  "a reset": (client: Client) => client.socket.reset(),
} as const;

for (const [way, leave] of Object.entries(ways)) {
  test.each(phases)(`a client leaves by ${way} $name`, ({ begin, line }) => {
    const world = new World();
    const client = world.client();
    begin(world, client);
    world.runFor(50);
    leave(client);
    // One ms for the news to arrive, one for the engines to hear of it.
    world.runFor(3);
    expect(world.inFlight).toBe(0);
    expect(world.worker.clientCount).toBe(0);
    expect(world.lines).toEqual(line === undefined ? [] : [line]);
    // A connection that carried a leg is closed: HTTP/1.1 has no other way to stop an engine.
    const left = world.engines
      .flatMap(({ connections }) => connections)
      .filter(({ socket }) => !socket.closed);
    expect(
      left.every(
        ({ engine, requests }) =>
          engine.role === "prefill" && requests === 1 && line?.endsWith("decode1:9000"),
      ),
    ).toBe(true);
    world.expectNothingLeft();
    expect(world.lines.length).toBe(line === undefined ? 0 : 1);
  });
}

test("a client that leaves while pipelined requests wait has none of them sent", () => {
  const world = new World();
  for (const engine of world.prefill) engine.script = silent;
  const client = world.client();
  for (let i = 0; i < 5; i += 1) client.send(completion(ask));
  world.runFor(50);
  client.socket.destroy();
  world.runFor(50);
  expect(world.engines.flatMap(({ requests }) => requests)).toHaveLength(1);
  world.expectNothingLeft();
});

test("an old client that ends its side within a stream cannot take what it has for all", () => {
  const world = new World();
  const client = world.client();
  client.send(completion({ ...ask, events: 10 }, "", "1.0"));
  world.runFor(60);
  client.socket.end();
  world.runUntil(() => client.ended !== undefined, 100);
  expect(client.ended).toBe("rst");
  world.expectNothingLeft();
});

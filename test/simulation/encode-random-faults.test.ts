/**
 * Random encoders, clients that go, and full pools, by seed. Whatever happens, nothing is prefilled whose items are not
 * all encoded, each request ends once, and nothing stays occupied. A failure names its seed.
 */
import { expect, test } from "vitest";
import { seededRandom } from "../../src/simulated-engine/model/prng.ts";
import { encodes, response, type Script } from "./engine.ts";
import { World } from "./world.ts";

const scenarios = 150;

function item(client: number, index: number) {
  return { type: "image_url", image_url: { url: `${client}/${index}` } };
}

function body(client: number, items: number): string {
  const content = Array.from({ length: items }, (_, index) => item(client, index));
  return JSON.stringify({ messages: [{ role: "user", content }] });
}

/** What has become of an item, as its encoder has answered it. */
type Book = Set<string>;

function encoder(random: () => number, book: Book): Script {
  const works: Script = (request, connection) => {
    book.add(/"url":"([^"]+)"/.exec(request.body.toString())![1]!);
    encodes(request, connection);
  };
  const mishaps: readonly Script[] = [
    (_, { socket }) => socket.cut("rst"),
    (_, { socket }) => socket.cut("silence"),
    () => {},
    (_, { send }) => send(response("{}", "503 Service Unavailable")),
    (_, { send }) => send(response('{"error":{}}', "400 Bad Request")),
    (_, { send }) => send(response('{"half":true}').subarray(0, 60)),
    (request, connection) => connection.after(random() * 1_200, () => works(request, connection)),
  ];
  return (request, connection) => {
    if (random() > 0.15) works(request, connection);
    else mishaps[Math.floor(random() * mishaps.length)]!(request, connection);
  };
}

test("whatever encoders and clients do, nothing is prefilled that is not encoded, and nothing is left", () => {
  const counts = { right: 0, refused: 0 };
  for (let seed = 1; seed <= scenarios; seed += 1) {
    const random = seededRandom(seed);
    const tries = Math.floor(random() * 3);
    const on = ["error", "timeout", "http_503"] as const;
    const world = new World({
      seed,
      encode: 1 + Math.floor(random() * 3),
      engine: { maxConns: random() < 0.3 ? 2 : 0 },
      route: { retry: { on: [...on], tries } },
    });
    const book: Book = new Set();
    const early: string[] = [];
    for (const engine of world.encode) engine.script = encoder(random, book);
    for (const engine of world.prefill) {
      const { script } = engine;
      engine.script = (request, connection) => {
        const urls = [...request.body.toString().matchAll(/"url":"([^"]+)"/g)];
        early.push(...urls.map(([, url]) => url!).filter((url) => !book.has(url)));
        script(request, connection);
      };
    }
    for (const engine of world.decode)
      engine.script = (_, { send }) => send(response('{"choices":[]}'));
    const clients = Array.from({ length: 6 }, (_, index) => {
      const client = world.client();
      const text = body(index, Math.floor(random() * 25));
      const head = `POST /v1/chat/completions HTTP/1.1\r\nHost: a\r\nContent-Length: ${text.length}`;
      const leaves = random() < 0.3;
      world.network.after(random() * 300, () => client.send(`${head}\r\n\r\n${text}`));
      if (leaves) world.network.after(random() * 1_500, () => client.socket.destroy());
      return { client, leaves };
    });
    const isOver = () =>
      clients.every(({ client, leaves }) => leaves || client.answers.length === 1);
    const where = `seed ${seed}`;
    try {
      world.runUntil(isOver, 60_000);
      world.runFor(2_000);
      expect(early).toEqual([]);
      for (const { client } of clients) {
        for (const { status } of client.answers) {
          expect([200, 400, 502, 503, 504]).toContain(status);
          counts[status === 200 ? "right" : "refused"] += 1;
        }
      }
      world.expectNothingLeft();
    } catch (error) {
      throw new Error(where, { cause: error });
    }
  }
  // Both happen often enough for the test to mean something.
  expect(Math.min(counts.right, counts.refused)).toBeGreaterThan(scenarios / 2);
});

/** Two fleets of engines behind one route of several models, and what a client asks them. */
import type { ConfigInput } from "../../src/config/schema/schema.ts";
import { modelsIn } from "../../src/pool/model-cards.ts";
import type { Engine } from "./engine.ts";
import { headerTimeoutMs, keepAliveTimeoutMs, timeouts, World } from "./world.ts";

type Route = ConfigInput["servers"][number]["routes"][number];
type Models = Pick<Route, "models" | "modelAliases" | "modelSplitKey">;

const engines = (role: string, from: number) => ({
  keepAlive: { idleMs: 1_500 },
  engines: [from, from + 1].map((number) => ({ url: `${role}${number}:9000` })),
});

const pools = {
  "a-prefill": engines("prefill", 1),
  "a-decode": engines("decode", 1),
  "b-prefill": engines("prefill", 3),
  "b-decode": engines("decode", 3),
};
export const a = { prefill: { pool: "a-prefill" }, target: { pool: "a-decode" } } as const;
export const b = { prefill: { pool: "b-prefill" }, target: { pool: "b-decode" } } as const;

/** What each engine lists. */
type Lists = Readonly<Record<string, readonly (string | { id: string; parent: string })[]>>;

export const usualLists: Lists = {
  prefill1: ["llama"],
  prefill2: ["llama"],
  decode1: ["llama"],
  decode2: ["llama"],
  prefill3: ["qwen"],
  prefill4: ["qwen"],
  decode3: ["qwen"],
  decode4: ["qwen"],
};

/** Two fleets: `a` of prefill1, prefill2, decode1, decode2, and `b` of the others. */
export function worldOf(
  models: Models,
  lists: Lists | undefined = usualLists,
  more: Partial<Route> = {},
) {
  const world = new World({ prefill: 4, decode: 4, config: configOf(models, more) });
  for (const engine of world.engines) engine.checksTransfer = false;
  list(world, lists);
  return world;
}

export function configOf(models: Models, more: Partial<Route> = {}): Partial<ConfigInput> {
  const accessLogs = [{ file: "log", format: "sim" }];
  const route: Route = { match: { path: "/" }, accessLogs, ...timeouts, ...models, ...more };
  const listen = [{ port: 80 }];
  return { pools, servers: [{ listen, headerTimeoutMs, keepAliveTimeoutMs, routes: [route] }] };
}

export function list(world: World, lists: Lists): void {
  const discovered = Object.fromEntries(
    Object.entries(lists).map(([name, models]) => {
      const data = models.map((model) => (typeof model === "string" ? { id: model } : model));
      const attributes = { models: modelsIn(Buffer.from(JSON.stringify({ data })))! };
      const pool = `${/[12]$/.test(name) ? "a" : "b"}-${name.slice(0, -1)}`;
      return [`${pool} ${name}:9000`, { isReady: true, attributes }];
    }),
  );
  for (const worker of world.workers.all) worker.applyDiscovered(discovered);
}

export function ask(world: World, model: unknown, path = "/v1/completions", rest = {}) {
  const body = JSON.stringify({ model, prompt: "hello", max_tokens: 1, ...rest });
  return send(world, path, body);
}

export function send(world: World, path: string, body: string, lines = "") {
  const client = world.client();
  const length = Buffer.byteLength(body);
  const head = `POST ${path} HTTP/1.1\r\nHost: p\r\n${lines}Content-Length: ${length}\r\n\r\n`;
  client.send(head + body);
  return world.responseTo(client);
}

export function get(world: World, path: string, lines = "") {
  const client = world.client();
  client.send(`GET ${path} HTTP/1.1\r\nHost: p\r\n${lines}\r\n`, "GET");
  const { status, body } = world.responseTo(client);
  return { status, json: JSON.parse(body.toString()) };
}

/** The models that an engine was asked for. */
export const askedFor = ({ requests }: Engine) =>
  requests.map(({ body }) => JSON.parse(body.toString()).model as string);

export const legs = (world: World) => world.lines.map((line) => line.replace(/:9000/g, ""));

/** Clients that ask one thing after the other; some of them leave, or stop reading. */
import { expect } from "vitest";
import type { Client } from "../client.ts";
import type { World } from "../world.ts";
import type { Chance } from "./chance.ts";
import { type Question, questionBody, reply } from "./generation.ts";
import { serverError } from "./misbehaviours.ts";
import type { FleetSettings } from "./settings.ts";

/** A question, and the request's id. */
export interface Ask extends Question {
  readonly id: string;
  /** Decode may respond in full though its prefill has failed, and then nobody knows what was cached before. */
  readonly mayLackUsage: boolean;
}

export interface Asker {
  readonly client: Client;
  readonly asks: readonly Ask[];
  /** Goes away, or reads slowly, so that its responses may break off. */
  readonly isFickle: boolean;
}

/** Connects, and sends all its requests at once. */
export function asker(
  world: World,
  chance: Chance,
  name: string,
  { paths, dialect }: FleetSettings,
): Asker {
  const count = 1 + chance.below(4);
  const asks = Array.from({ length: count }, (_, i): Ask => {
    const path = chance.of(paths);
    return {
      id: `${name}.${i}`,
      mayLackUsage: dialect.order !== "prefill-first",
      path,
      prompt: `${name}.${i} ${"p".repeat(chance.below(150))}:`,
      stream: chance.happens(0.6),
      // A stream of one token is how KV caches are freed.
      maxTokens: 2 + chance.below(9),
      usage: chance.happens(0.5),
      logprobs: path !== "/generate" && chance.happens(0.2),
      ids: path !== "/generate" && chance.happens(0.2),
    };
  });
  const version = chance.happens(0.1) ? "1.0" : "1.1";
  const client = world.client();
  for (const ask of asks) client.send(requestOf(ask, version));
  const isFickle = chance.happens(0.3);
  if (isFickle) {
    const leave = chance.of<() => void>([
      () => client.socket.destroy(),
      () => client.socket.reset(),
      () => client.socket.end(),
      () => client.socket.cut("silence"),
      () => client.socket.pause(),
    ]);
    world.network.after(chance.below(600), leave);
  }
  return { client, asks, isFickle };
}

function requestOf(ask: Ask, version: string): string {
  const body = questionBody(ask);
  const lines = version === "1.0" ? "Connection: keep-alive\r\n" : "";
  return (
    `POST ${ask.path} HTTP/${version}\r\nHost: proxy\r\nX-Request-Id: ${ask.id}\r\n${lines}` +
    `Content-Type: application/json\r\nContent-Length: ${Buffer.byteLength(body)}\r\n\r\n${body}`
  );
}

/** Whether nothing more comes. */
export function isOver({ client, asks }: Asker): boolean {
  return client.answers.length === asks.length || client.ended !== undefined;
}

/** What one engine would have responded, if nothing had happened to it. */
export function rightBody(ask: Ask): string {
  const all = reply({ ...ask, done: 0, json: {} }, { id: ask.id, created: 0, cached: 3 });
  return ask.stream ? all.events.join("") : all.whole;
}

/**
 * What a client has, without what may differ: when it was made, comments that keep it waiting, and what decode counts
 * as cached before its last event of `/generate`.
 */
export function comparable(ask: Ask, body: string): string {
  const text = ask.stream ? body.replace(/^(?::[^\n]*\n\n)*(?::[^\n]*\n?$)?/, "") : body;
  let made = text.replaceAll(/"created":\d+/g, '"created":0');
  if (ask.mayLackUsage) {
    made = made
      .replaceAll('"prompt_tokens_details":null', '"prompt_tokens_details":{"cached_tokens":3}')
      .replaceAll(/"cached_tokens":9+/g, '"cached_tokens":3')
      .replace(/"prompt_tokens_details":n?u?l?$/, '"prompt_tokens_details":');
  }
  if (ask.path !== "/generate" || !ask.stream) return made;
  return made.replaceAll(
    /("finish_reason":null,.*?"cached_tokens":)\d+/g,
    (_, before) => `${before}3`,
  );
}

const errorStatuses = [429, 500, 502, 503, 504];

/** How a request ended, as its client sees it. */
export type Seen = "right" | "error" | "error-event" | "broken" | "nothing";

/** Each response is the right one, or an error that says so, or its beginning and a visible end. */
export function expectHonest({ client, asks, isFickle }: Asker): Seen[] {
  const seen: Seen[] = client.answers.map(({ status, body }, i) => {
    if (status === 200) return expectRight(asks[i]!, body.toString());
    expect(errorStatuses, asks[i]!.id).toContain(status);
    expect(body.toString(), asks[i]!.id).toMatch(/"message":"busy"|"code":"GP_\w+"/);
    return "error";
  });
  expect(client.answers.length).toBeLessThanOrEqual(asks.length);
  const next = asks[client.answers.length];
  if (next !== undefined && client.midway) {
    seen.push("broken");
    if (client.partialStatus === 200) {
      const got = comparable(next, client.partialBody);
      const [own] = got.split('data: {"error"', 1);
      const right = rightBody(next);
      expect(right.slice(0, own!.length), `what the client of ${next.id} has`).toBe(own);
    }
  }
  while (seen.length < asks.length) seen.push("nothing");
  if (!isFickle && client.answers.length < asks.length) expect(client.ended).toBeDefined();
  return seen;
}

/** The right response; or its beginning, with an error as its last event. */
function expectRight(ask: Ask, body: string): Seen {
  const got = comparable(ask, body);
  const right = rightBody(ask);
  expect(new Set(body.match(/"created":\d+/g)).size, `${ask.id} is of one response`).toBeLessThan(
    2,
  );
  const at = got.indexOf('data: {"error"');
  if (at < 0) {
    expect(got, ask.id).toBe(right);
    return "right";
  }
  expect(right.slice(0, at), ask.id).toBe(got.slice(0, at));
  const event = got.slice(at);
  if (event !== serverError) expect(event, ask.id).toMatch(/"code":"GP_\w+"|"message":"busy"/);
  return "error-event";
}

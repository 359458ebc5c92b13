/** Clients that ask one thing after the other; some of them leave, or stop reading. */
import { expect } from "vitest";
import { type Client, completion } from "../client.ts";
import { type Ask, rightResponse } from "../prompts.ts";
import type { World } from "../world.ts";
import type { Chance } from "./chance.ts";

export interface Asker {
  readonly client: Client;
  readonly asks: readonly Ask[];
  /** Goes away, or reads slowly, so that its responses may break off. */
  readonly isFickle: boolean;
}

/** Connects, and sends all its requests at once. */
export function asker(world: World, chance: Chance, name: string): Asker {
  const count = 1 + chance.below(4);
  const asks = Array.from({ length: count }, (_, i) => ({
    prompt: `${name}.${i} ${"p".repeat(chance.below(300))}`,
    stream: chance.happens(0.5),
    events: 1 + chance.below(6),
  }));
  const version = chance.happens(0.1) ? "1.0" : "1.1";
  const client = world.client();
  const lines = version === "1.0" ? "Connection: keep-alive\r\n" : "";
  for (const ask of asks) client.send(completion(ask, lines, version));
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

/** Whether nothing more comes. */
export function isOver({ client, asks }: Asker): boolean {
  return client.answers.length === asks.length || client.ended !== undefined;
}

const errorStatuses = [429, 500, 502, 503, 504];

/** Each response is the right one, or an error that says so, or its beginning and a visible end. */
export function expectHonest({ client, asks, isFickle }: Asker): void {
  client.answers.forEach((got, i) => {
    const where = `response ${i} of ${client.answers.length}`;
    if (got.status === 200) expect(got.body.toString(), where).toBe(rightResponse(asks[i]!));
    else {
      expect(errorStatuses, where).toContain(got.status);
      expect(got.body.toString(), where).toMatch(/"message":"busy"|"code":"GP_\w+"/);
    }
  });
  expect(client.answers.length).toBeLessThanOrEqual(asks.length);
  if (client.midway && client.partialStatus === 200) {
    const right = rightResponse(asks[client.answers.length]!);
    expect(right.slice(0, client.partialBody.length), "what the client has").toBe(
      client.partialBody,
    );
  }
  if (!isFickle && client.answers.length < asks.length) expect(client.ended).toBeDefined();
}

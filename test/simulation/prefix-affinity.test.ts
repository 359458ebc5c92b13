/** Policies that go by prefixes see those of live requests. */
import { expect, test } from "vitest";
import { World } from "./world.ts";

test.each(["cache_aware", "predicted_time"] as const)(
  "by %s, prompts that begin alike go to one prefill engine",
  (name) => {
    const world = new World({ prefill: 3, pool: { policy: { name } } });
    const text = (chat: number) => `chat ${chat} `.repeat(2_000);
    const enginesOf = (chat: number) =>
      Array.from({ length: 4 }, (_, turn) => {
        const client = world.ask({ prompt: `${text(chat)} turn ${turn}`, stream: false });
        expect(world.answerTo(client).status).toBe(200);
        client.socket.destroy();
        world.runFor(5);
        return world.lines.at(-1)!.split(" ")[2];
      });
    const homes = [enginesOf(1), enginesOf(2), enginesOf(1)];
    for (const engines of homes) expect(new Set(engines).size).toBe(1);
    expect(homes[2]![0]).toBe(homes[0]![0]);
    world.expectNothingLeft();
  },
);

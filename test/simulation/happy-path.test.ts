import { expect, test } from "vitest";
import { completion } from "./client.ts";
import { rightResponse } from "./prompts.ts";
import { World } from "./world.ts";

test.each([false, true])("a prompt is prefilled, decoded and delivered (stream: %s)", (stream) => {
  const world = new World();
  const client = world.client();
  client.send(completion({ prompt: "hello", stream }));
  world.runUntil(() => client.answers.length === 1, 200);
  const [response] = client.answers;
  expect(response?.status).toBe(200);
  expect(response?.body.toString()).toBe(rightResponse({ prompt: "hello", stream }));
  expect(world.lines).toEqual(["200 GP_OK prefill1:9000 > decode1:9000"]);
  world.expectNothingLeft();
});

/** Encode engines and those that take their embeddings: what a wrong proxy makes of it is counted, never silent. */

import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, afterEach, describe, expect, it } from "vitest";
import { type EngineOptions, instantTiming } from "../../../src/simulated-engine/options.ts";
import type { EngineRole } from "../../../src/simulated-engine/roles.ts";
import { type RunningEngine, startEngine } from "../../../src/simulated-engine/server.ts";
import { post } from "../http.ts";

const folder = mkdtempSync(join(tmpdir(), "gp-ec-"));
const running: RunningEngine[] = [];

afterEach(async () => {
  await Promise.all(running.splice(0).map((engine) => engine.close()));
});
afterAll(() => rmSync(folder, { recursive: true }));

async function start(role: EngineRole, ecTransfer: string, more: Partial<EngineOptions> = {}) {
  const engine = await startEngine({ role, ecTransfer, ...instantTiming, ...more });
  running.push(engine);
  return engine;
}

const image = { type: "image_url", image_url: { url: "data:image/png;base64,AAAA" } };
const text = { type: "text", text: "what is this?" };

async function ask(engine: RunningEngine, content: unknown, more: object = {}) {
  const messages = [{ role: "user", content }];
  const response = await post(engine.url, "/v1/chat/completions", {
    messages,
    max_tokens: 1,
    ...more,
  });
  return { status: response.status, text: await response.text() };
}

/** Adds what an encoder has answered, byte for byte. */
async function askWith(engine: RunningEngine, response: string, content: unknown) {
  const params = /"ec_transfer_params":(.*)\}$/.exec(response)?.[1];
  const body = JSON.stringify({ messages: [{ role: "user", content }], max_tokens: 1 });
  await post(
    engine.url,
    "/v1/chat/completions",
    `${body.slice(0, -1)},"ec_transfer_params":${params}}`,
  );
}

const notLoaded = (engine: RunningEngine) => engine.state().recomputed["no_embedding"] ?? 0;

describe("an encode engine", () => {
  it("refuses a text, and counts it", async () => {
    const encode = await start("encode", "pull");
    for (const content of ["a text", [text]]) expect((await ask(encode, content)).status).toBe(400);
    expect(encode.state()).toMatchObject({ protocolViolations: 2, stored: 0 });
  });

  it.each([
    ["text beside the item", [image, text], {}],
    ["several items", [image, { ...image, uuid: "b" }], {}],
    ["a stream", [image], { stream: true }],
    ["an answer", [image], { max_tokens: 5 }],
  ])("takes note of %s", async (_, content, more) => {
    const encode = await start("encode", "pull");
    expect((await ask(encode, content, more)).status).toBe(200);
    expect(encode.state().protocolViolations).toBe(1);
  });
});

it("an item is as many tokens whatever its bytes, and another one is another prompt", async () => {
  const engine = await start("mixed", "");
  const large = (byte: string) => ({ ...image, image_url: { url: byte.repeat(5_000_000) } });
  const answers = [];
  for (const item of [image, large("a"), large("b")]) {
    const { text: response } = await ask(engine, [text, item], { max_tokens: 20 });
    answers.push(JSON.parse(response) as { choices: object[]; usage: { prompt_tokens: number } });
  }
  const [small, one, other] = answers.map(({ usage }) => usage.prompt_tokens);
  expect([one, other]).toEqual([small, small]);
  expect(answers[1]!.choices).not.toEqual(answers[2]!.choices);
});

describe("embeddings in a folder", () => {
  const path = `shared:path=${join(folder, "shared")}`;

  it("are found by the item, whoever encoded it and whether it still lives", async () => {
    const encode = await start("encode", path);
    const prefill = await start("prefill", path);
    expect((await ask(encode, [image])).text).not.toContain("ec_transfer_params");
    expect(encode.state().held).toBe(0);
    await encode.close();
    await ask(prefill, [text, image]);
    expect(notLoaded(prefill)).toBe(0);
  });

  it("that are not there are computed and counted, once for each item", async () => {
    const prefill = await start("mixed", path);
    const others = ["b", "c", "c"].map((url) => ({ type: "video_url", video_url: { url } }));
    await ask(prefill, others);
    await ask(prefill, "a text");
    expect(notLoaded(prefill)).toBe(2);
  });
});

describe("embeddings that are pulled", () => {
  it("are where the encoder says, for all who come, until the lease ends", async () => {
    const encode = await start("encode", "pull", { kvLeaseMs: 60_000 });
    const [one, other] = [await start("prefill", "pull"), await start("mixed", "pull")];
    const { text: response } = await ask(encode, [image]);
    for (const engine of [one, other]) await askWith(engine, response, [image, text]);
    expect([notLoaded(one), notLoaded(other), encode.state().held]).toEqual([0, 0, 1]);
    expect([one, other].map((engine) => engine.state().protocolViolations)).toEqual([0, 0]);
  });

  it("are computed and counted where a proxy did not say where they are, or their encoder is gone", async () => {
    const encode = await start("encode", "pull");
    const prefill = await start("mixed", "pull");
    const { text: response } = await ask(encode, [image]);
    await ask(prefill, [image]);
    expect(notLoaded(prefill)).toBe(1);
    await askWith(prefill, response, [{ ...image, uuid: "other" }]);
    expect(notLoaded(prefill)).toBe(2);
    await encode.close();
    await askWith(prefill, response, [image]);
    expect(notLoaded(prefill)).toBe(3);
    expect(prefill.state().protocolViolations).toBe(0);
  });

  it("whose numbers a proxy has rounded are a violation", async () => {
    const encode = await start("encode", "pull");
    const prefill = await start("mixed", "pull");
    const { text: response } = await ask(encode, [image]);
    const { ec_transfer_params } = JSON.parse(response) as { ec_transfer_params: object };
    await ask(prefill, [image], { ec_transfer_params });
    expect(prefill.state().protocolViolations).toBe(1);
  });
});

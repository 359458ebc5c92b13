/** Forms with files, as clients send audio and images, are routed by the model that they name, and stay as they are. */
import { expect, test } from "vitest";
import { hashOfKey } from "../../src/config/values/key-file.ts";
import { codeOf } from "./client.ts";
import { response } from "./engine.ts";
import { a, b, configOf, list, usualLists, worldOf } from "./model-fleets.ts";
import { World } from "./world.ts";

const file = Buffer.alloc(300_000, "\r\n--");

/** As this runtime's own client writes it, in which OpenAI's client has its forms made. */
async function formOf(...models: readonly string[]) {
  const data = new FormData();
  data.append("file", new Blob([file]), "a.wav");
  for (const model of models) data.append("model", model);
  data.append("language", "en");
  const request = new Request("http://x", { method: "POST", body: data });
  const bytes = Buffer.from(await request.arrayBuffer());
  return { bytes, type: request.headers.get("content-type")! };
}

function send(world: World, { bytes, type }: Awaited<ReturnType<typeof formOf>>, lines = "") {
  const client = world.client();
  const head = `POST /v1/audio/transcriptions HTTP/1.1\r\nHost: p\r\nContent-Type: ${type}\r\n`;
  client.send(Buffer.from(`${head}${lines}Content-Length: ${bytes.length}\r\n\r\n`));
  client.send(bytes);
  return world.responseTo(client);
}

function responding(world: World): World {
  for (const engine of world.engines)
    engine.script = (_, { send }) => send(response('{"text":""}'));
  return world;
}

test("a form goes to the engines of its model, under the name that they know", async () => {
  const world = responding(
    worldOf({
      models: [a, { model: "whisper", engineModel: "whisper-large-v3-turbo", ...b }],
      modelAliases: { "whisper-1": "whisper" },
    }),
  );
  const sent = await formOf("whisper-1");
  expect(send(world, sent).status).toBe(200);
  const [got, ...others] = world.engines.flatMap(({ requests }) => requests);
  expect(others).toEqual([]);
  const at = sent.bytes.lastIndexOf("whisper-1");
  expect(got!.body.subarray(0, at).equals(sent.bytes.subarray(0, at))).toBe(true);
  const rest = got!.body.subarray(at).toString();
  expect(rest).toBe(
    sent.bytes.subarray(at).toString().replace("whisper-1", "whisper-large-v3-turbo"),
  );
  expect(world.lines.at(-1)).toMatch(/decode[34]/);
  const unknown = send(world, await formOf("none"));
  expect(codeOf(unknown)).toBe("model_not_found");
  world.expectNothingLeft();
});

test("a form counts for the models of a tenant, and one that names two is refused", async () => {
  const world = new World({
    prefill: 4,
    decode: 4,
    credentials: { keys: [{ hash: hashOfKey("key"), tenant: "t" }], engineKeys: {} },
    config: {
      ...configOf({ models: [a, b] }),
      auth: { keyFile: "keys" },
      tenants: { t: { models: ["qwen"] } },
    },
  });
  for (const engine of world.engines) engine.checksTransfer = false;
  list(world, usualLists);
  responding(world);
  const key = "Authorization: Bearer key\r\n";
  expect(send(world, await formOf("qwen"), key).status).toBe(200);
  for (const models of [["llama"], ["qwen", "llama"], ["llama", "qwen"], []]) {
    expect(codeOf(send(world, await formOf(...models), key)), `${models}`).toBe(
      "GP_MODEL_FORBIDDEN",
    );
  }
});

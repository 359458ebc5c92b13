/** The JSON access log of a real proxy tells of each request what an operator asks: where, how long, how many tokens. */
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { afterAll, describe, expect, test } from "vitest";
import { eventually } from "../support/eventually.ts";
import { ask, post } from "../support/http-client.ts";
import { bunAndOneNode } from "../support/runtimes.ts";
import { sharedEngines } from "../support/shared-engines.ts";
import { Stack } from "../support/stack.ts";

const { prefills, decodes } = sharedEngines(2, 1);
const key = "sk-0123456789abcdef";
const secret = "A-PROMPT-THAT-NOBODY-MAY-READ";

describe.each(bunAndOneNode("json-log"))("on %s", (runtime) => {
  const stack = new Stack(runtime);
  afterAll(() => stack.end());

  async function lines(name: string, count: number): Promise<Record<string, unknown>[]> {
    const file = join(stack.folder, name);
    const read = () => readFileSync(file, "utf8").split("\n").slice(0, -1);
    await eventually(() => read().length >= count);
    expect(readFileSync(file, "utf8")).not.toMatch(new RegExp(`${secret}|${key}`));
    return read().map((line) => JSON.parse(line) as Record<string, unknown>);
  }

  test("by flags: a stream, a whole response, a try that failed, a refusal", async () => {
    const log = ["--access-log", join(stack.folder, "flags.log"), "--access-log-format", "json"];
    const { url } = await stack.startByFlags(prefills, decodes, ...log);
    const headers = { authorization: `Bearer ${key}`, "x-request-id": "r-1" };
    const path = `/v1/chat/completions?api_key=${key}`;
    const messages = [{ role: "user", content: secret }];
    const body = { model: "simulated", messages, max_tokens: 4 };
    await post(`${url}${path}`, { ...body, stream: true }, { headers });
    await post(`${url}${path}`, body, { headers });
    const [, { prefill_engine: used } = {}] = await lines("flags.log", 2);
    const failing = prefills.find((engine) => engine.url === `http://${used}`);
    await failing!.setFault({ kind: "status", code: 503, times: 1 });
    // On a busy machine the other one may have become the better choice.
    let sent = 2;
    while ((await failing!.faults()).length > 0) {
      await post(`${url}${path}`, body, { headers });
      sent += 1;
    }
    await ask(`${url}/v1/completions`, { method: "POST", headers, body: "{" });
    const logged = await lines("flags.log", sent + 1);
    const [stream, whole] = logged;
    const [retried, refused] = logged.slice(-2);
    expect(stream).toMatchObject({
      request_id: "r-1",
      client: "127.0.0.1",
      method: "POST",
      status: 200,
      outcome: "GP_OK",
      route: "/",
      model: "simulated",
      prefill_engine: expect.stringMatching(/^127\.0\.0\.1:\d+$/),
      decode_engine: decodes[0]!.url.slice("http://".length),
      prefill_ms: expect.any(Number),
      transfer_ms: expect.any(Number),
      ttft_ms: expect.any(Number),
      duration_ms: expect.any(Number),
      output_tokens: 4,
      output_tokens_from: "events",
    });
    expect(whole).toMatchObject({
      prompt_tokens: expect.any(Number),
      cached_tokens: expect.any(Number),
      output_tokens: 4,
      output_tokens_from: "usage",
    });
    expect(retried).toMatchObject({ status: 200, retries: 1 });
    expect(refused).toMatchObject({ status: 400, outcome: "GP_BAD_JSON", retries: 0 });
    expect(refused).not.toHaveProperty("prefill_engine");
  });

  test("in nginx.conf, where a format of that name goes before", async () => {
    const conf = (name: string, formats: string) => (port: number) =>
      `events {} http { ${formats} server { listen 127.0.0.1:${port};
        location / { access_log ${stack.folder}/${name} json; return 200 ok; } } }`;
    const built = await stack.serve(conf("built.log", ""), "conf");
    await post(`${built.url}/v1/completions`, { model: "m", prompt: secret });
    expect((await lines("built.log", 1))[0]).toMatchObject({ status: 200, model: "m" });
    const own = `log_format json escape=json '{"mine":"$status"}';`;
    const mine = await stack.serve(conf("mine.log", own), "conf");
    await post(`${mine.url}/v1/completions`, { model: "m", prompt: secret });
    expect((await lines("mine.log", 1))[0]).toEqual({ mine: "200" });
  });
});

/**
 * Two fleets with different models behind one address, as clients of the `openai` package see them: names, aliases,
 * errors, streams, and a reload that changes the models under load.
 */
import OpenAI, { NotFoundError } from "openai";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { eventually } from "../support/eventually.ts";
import { oneRuntime } from "../support/runtimes.ts";
import { instant, type ServingProxy, Stack, totals } from "../support/stack.ts";
import { patienceMs } from "../support/times.ts";

const messages = [{ role: "user" as const, content: "hello" }];

describe.each(oneRuntime("models"))("on %s", (runtime) => {
  const stack = new Stack(runtime);
  let proxy: ServingProxy;
  let client: OpenAI;
  let config: (models: string) => string;

  beforeAll(async () => {
    const start = (role: "prefill" | "decode", ...words: string[]) =>
      stack.startEngines(role, 1, [...instant, ...words]);
    const nixl = ["--model", "org/llama", "--dialect", "vllm-nixl", "--adapters", "sql"];
    const sglang = ["--model", "qwen", "--dialect", "sglang"];
    const fleets = await Promise.all([
      start("prefill", ...nixl),
      start("decode", ...nixl),
      start("prefill", ...sglang),
      start("decode", ...sglang),
    ]);
    const [llamaP, llamaD, qwenP, qwenD] = fleets.map(
      ([engine]) => `{ engines: [{ url: "${engine!.url}" }], ejection: { lateMs: 0 } }`,
    );
    const port = { number: 0 };
    config = (models) => `
errorLog: { level: notice }
pools: { llama-p: ${llamaP}, llama-d: ${llamaD}, qwen-p: ${qwenP}, qwen-d: ${qwenD} }
servers:
  - listen: [{ host: 127.0.0.1, port: ${port.number} }]
    routes:
      - match: { path: / }
        models:
          - { prefill: { pool: llama-p }, target: { pool: llama-d }, dialect: vllm-nixl }
${models}`;
    proxy = await stack.serve((number) => {
      port.number = number;
      return config("        modelAliases: { gpt-4o: org/llama }");
    });
    const options = { apiKey: "none", maxRetries: 0, timeout: patienceMs };
    client = new OpenAI({ ...options, baseURL: `${proxy.url}/v1` });
  });
  afterAll(() => stack.end());

  /** The model that the response names, of a whole one or of each event of a stream. */
  async function servedBy(model: string): Promise<ReadonlySet<string>> {
    const whole = await client.chat.completions.create({ model, messages, max_tokens: 4 });
    const stream = { model, messages, max_tokens: 4, stream: true } as const;
    const names = new Set([whole.model]);
    let text = "";
    for await (const event of await client.chat.completions.create(stream)) {
      names.add(event.model);
      text += event.choices[0]?.delta.content ?? "";
    }
    expect(text).toBe(whole.choices[0]!.message.content);
    return names;
  }

  test("models, adapters and aliases, in one piece and streamed; a response names what has served it", async () => {
    expect(await servedBy("org/llama")).toEqual(new Set(["org/llama"]));
    expect(await servedBy("sql")).toEqual(new Set(["sql"]));
    expect(await servedBy("gpt-4o")).toEqual(new Set(["org/llama"]));
  });

  test("the list, one of it, and a name that is none", async () => {
    const ids = [];
    for await (const { id } of client.models.list()) ids.push(id);
    expect(ids).toEqual(["org/llama", "sql", "gpt-4o"]);
    expect(await client.models.retrieve("org/llama")).toMatchObject({ id: "org/llama" });
    const error = await servedBy("gpt-4").catch((one: unknown) => one);
    expect(error).toBeInstanceOf(NotFoundError);
    expect(error).toMatchObject({ code: "model_not_found", param: "model" });
    expect((error as Error).message).toContain("Did you mean `gpt-4o`?");
  });

  test("a reload adds a model under load, and no request is lost", async () => {
    let asked = 0;
    let isOver = false;
    const load = (async () => {
      for (; !isOver; asked += 1) expect((await servedBy("sql")).size).toBe(1);
    })();
    await eventually(() => asked > 2);
    const second = `          - { prefill: { pool: qwen-p }, target: { pool: qwen-d }, dialect: sglang }`;
    stack.write(`${proxy.port}.yaml`, config(second));
    proxy.command.signal("SIGHUP");
    await eventually(async () => {
      const found = await servedBy("qwen").catch(() => new Set<string>());
      return found.has("qwen");
    });
    isOver = true;
    await load;
    await expect(servedBy("gpt-4o")).rejects.toBeInstanceOf(NotFoundError);
    const { recomputed, refused, violations } = totals(await stack.settled());
    expect({ recomputed, refused, violations }).toEqual({
      recomputed: 0,
      refused: 0,
      violations: 0,
    });
  });
});

/**
 * What a proxy records is the traffic that it served: whole lines by all workers, no word of any prompt, and fit to be
 * simulated.
 */
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { parseTrace } from "../../src/lab/traces/trace.ts";
import { eventually } from "../support/eventually.ts";
import { post } from "../support/http-client.ts";
import { pdYaml } from "../support/pd-yaml.ts";
import { bunAndOneNode, sharesPorts } from "../support/runtimes.ts";
import { type Engine, Stack } from "../support/stack.ts";

const secret = "Attack at dawn, says the quick brown fox. ";
/** 10 blocks of 2,048 bytes. */
const long = secret.repeat(500);

interface Line {
  readonly timestamp: number;
  readonly input_length: number;
  readonly output_length: number;
  readonly hash_ids: readonly number[];
}

describe.each(bunAndOneNode("record"))("on %s", (runtime) => {
  const stack = new Stack(runtime);
  const workers = sharesPorts(runtime) ? 4 : 1;
  let prefill: Engine[];
  let decode: Engine[];

  beforeAll(async () => {
    prefill = await stack.startEngines("prefill", 1);
    decode = await stack.startEngines("decode", 1);
  });
  afterAll(() => stack.end());

  const linesOf = async (file: string, count: number) => {
    const text = () => readFileSync(join(stack.folder, file), "utf8");
    await eventually(() => text().split("\n").length > count);
    const lines = text().trimEnd().split("\n");
    return lines.map((line) => JSON.parse(line) as Line);
  };
  const serve = (file: string, salt = "") => {
    const top = `errorLog: { level: notice }\nworkers: ${workers}\nrecord: { file: ${file}${salt} }`;
    return stack.serve((port) =>
      pdYaml({ port, top, prefill: { engines: prefill }, decode: { engines: decode } }),
    );
  };
  const completion = { model: "simulated", max_tokens: 5, ignore_eos: true };

  test("each kind of response is one line with its sizes", async () => {
    const { url } = await serve("kinds.jsonl");
    const startMs = Date.now();
    let asked = 0;
    const ask = (path: string, body: object) =>
      post(`${url}${path}`, { ...completion, max_tokens: 5 + asked++, ...body });
    const chat = { messages: [{ role: "user", content: long }] };
    const answers = [
      await ask("/v1/completions", { prompt: long }),
      await ask("/v1/completions", { prompt: long, stream: true }),
      await ask("/v1/completions", {
        prompt: long,
        stream: true,
        stream_options: { include_usage: true },
      }),
      await ask("/v1/chat/completions", chat),
      await ask("/v1/chat/completions", { ...chat, stream: true }),
    ];
    expect(answers.map(({ status }) => status)).toEqual(answers.map(() => 200));
    const { usage } = JSON.parse(answers[0]!.body) as { usage: { prompt_tokens: number } };
    // None of these is a prompt that was answered.
    await ask("/v1/completions", { prompt: 5 });
    await post(`${url}/v1/completions`, "{");
    await post(`${url}/v1/tokenize`, { prompt: "x" });
    // Workers write on their own: not in the order of the requests.
    const lines = await linesOf("kinds.jsonl", answers.length);
    lines.sort((a, b) => a.output_length - b.output_length);
    expect(lines.map((line) => line.output_length)).toEqual([5, 6, 7, 8, 9]);
    for (const { timestamp } of lines) {
      expect(timestamp).toBeGreaterThanOrEqual(startMs - 1);
      expect(timestamp).toBeLessThanOrEqual(Date.now() + 1);
    }
    expect(lines[0]!.input_length).toBe(usage.prompt_tokens);
    expect(lines[2]!.input_length).toBe(usage.prompt_tokens);
    expect(lines.map((line) => line.hash_ids.length)).toEqual([10, 10, 10, 10, 10]);
    expect(lines[1]!.hash_ids).toEqual(lines[0]!.hash_ids);
    expect(lines[4]!.hash_ids).toEqual(lines[3]!.hash_ids);
  });

  test("many clients of all workers tear no line, and prompts have blocks in common as far as they are equal", async () => {
    const { url, command } = await serve("many.jsonl");
    const shared = long.repeat(8);
    const asked = Array.from({ length: 120 }, async (_, i) => {
      const prompt = `${shared}${i % 3}${long}`;
      const { status } = await post(`${url}/v1/completions`, { ...completion, prompt });
      expect(status).toBe(200);
    });
    await Promise.all(asked);
    const lines = await linesOf("many.jsonl", asked.length);
    expect(lines).toHaveLength(asked.length);
    const first = lines[0]!.hash_ids;
    const common = Math.floor(shared.length / 2048);
    expect(first.length).toBeGreaterThan(common + 5);
    for (const { hash_ids } of lines)
      expect(hash_ids.slice(0, common)).toEqual(first.slice(0, common));
    expect(new Set(lines.map(({ hash_ids }) => hash_ids.join())).size).toBe(3);
    const text = readFileSync(join(stack.folder, "many.jsonl"), "utf8");
    expect(text).toMatch(/^[\d\s{}[\]",:a-z_]*$/);
    expect(text).not.toMatch(/attack|dawn|fox/i);
    expect(command.stderr).not.toContain("loses lines");
    // The simulator takes it as it is.
    expect(parseTrace(text)).toHaveLength(asked.length);
    const { code, stdout } = stack.run("simulate", "many.jsonl", "--json");
    expect(code).toBe(0);
    expect(JSON.parse(stdout.split("\n")[0]!)).toMatchObject({ completed: asked.length });
  });

  test("blocks keep their names over a reload, and over a restart only with a salt", async () => {
    const idsOf = async (file: string, salt: string, reload: boolean) => {
      const { url, command } = await serve(file, salt);
      const ask = () => post(`${url}/v1/completions`, { ...completion, prompt: long });
      await ask();
      if (reload) {
        command.signal("SIGHUP");
        await command.saysError(/the new configuration is in force/);
        await ask();
      }
      const lines = await linesOf(file, reload ? 2 : 1);
      await command.kill();
      return lines.map(({ hash_ids }) => hash_ids.join());
    };
    const [before, after] = await idsOf("one.jsonl", "", true);
    expect(after).toBe(before);
    expect(await idsOf("two.jsonl", "", false)).not.toContain(before);
    const [salted] = await idsOf("three.jsonl", ", salt: pepper", false);
    expect(await idsOf("four.jsonl", ", salt: pepper", false)).toEqual([salted]);
  });

  test("--record does the same, and a file that cannot be written is an error at the start", async () => {
    const file = join(stack.folder, "flags.jsonl");
    const { url } = await stack.startByFlags(prefill, decode, "--record", file);
    await post(`${url}/v1/completions`, { ...completion, prompt: long });
    expect(await linesOf("flags.jsonl", 1)).toMatchObject([{ output_length: 5 }]);
    const words = ["--engine", decode[0]!.url, "--listen", "127.0.0.1:0"];
    const { code, stderr } = stack.run(...words, "--record", "/no/such/folder/trace.jsonl");
    expect(code).toBe(1);
    expect(stderr).toMatch(/\[emerg\] open\(\) "\/no\/such\/folder\/trace\.jsonl" failed/);
  });

  test("requests to engines that prefill and decode are recorded, too", async () => {
    const [mixed] = (await stack.startEngines("mixed", 1)) as [Engine];
    const file = join(stack.folder, "plain.jsonl");
    const words = ["--engine", mixed.url, "--listen", "127.0.0.1:0", "--record", file];
    const { url } = await stack.startProxy(...words);
    await post(`${url}/v1/completions`, { ...completion, prompt: long });
    const [line] = await linesOf("plain.jsonl", 1);
    expect(line).toMatchObject({ output_length: 5 });
    expect(line!.hash_ids).toHaveLength(10);
  });
});

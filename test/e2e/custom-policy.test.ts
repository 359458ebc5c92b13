/**
 * An operator's own policy must decide as its file says, follow a reload, and never cost a request when it is wrong.
 */
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { eventually } from "../support/eventually.ts";
import { post } from "../support/http-client.ts";
import { pdYaml } from "../support/pd-yaml.ts";
import { bunAndOneNode } from "../support/runtimes.ts";
import { type Engine, type ServingProxy, Stack } from "../support/stack.ts";

const example = join(process.cwd(), "examples/custom-policy/short-first.mjs");

const picks = (pick: string) =>
  `export const policy = { name: "mine", summary: "s", when: "w", options: {}, create: () => ({ pick: ${pick} }) };`;

describe.each(bunAndOneNode("custom-policy"))("on %s", (runtime) => {
  const stack = new Stack(runtime);
  let prefills: Engine[];
  let decodes: Engine[];

  beforeAll(async () => {
    prefills = await stack.startEngines("prefill", 2);
    decodes = await stack.startEngines("decode", 1);
  });
  afterAll(() => stack.end());

  const textFor =
    (module: string, options = "{}") =>
    (port: number) =>
      pdYaml({
        port,
        top: "errorLog: { level: notice }",
        prefill: {
          engines: prefills,
          policy: `custom, module: ${module}, options: ${options}`,
        },
        decode: { engines: decodes },
      });

  /** Requests that each prefill engine gets. */
  async function sent({ url }: ServingProxy, count: number, prompt: string): Promise<number[]> {
    const seen = () =>
      Promise.all(prefills.map(async (engine) => (await engine.state()).requestsSeen));
    const before = await seen();
    for (let n = 0; n < count; n += 1) {
      const body = JSON.stringify({ prompt: `${n} ${prompt}`, max_tokens: 2 });
      expect((await post(`${url}/v1/completions`, body)).status).toBe(200);
    }
    const after = await seen();
    return after.map((number, engine) => number - before[engine]!);
  }

  it("the example keeps an engine free for short prompts", async () => {
    const proxy = await stack.serve(textFor(example, "{ boundBytes: 1000 }"));
    expect(await sent(proxy, 4, "short")).toEqual([4, 0]);
    expect(await sent(proxy, 4, "long ".repeat(400))).toEqual([0, 4]);
  });

  it("a reload loads a changed module, and one that is wrong leaves the old one in force", async () => {
    stack.write("mine.mjs", picks("() => 0"));
    const proxy = await stack.serve(textFor("./mine.mjs"));
    const { command } = proxy;
    const reload = async (text: string, said: RegExp) => {
      stack.write("mine.mjs", text);
      const before = command.stderr.length;
      command.signal("SIGHUP");
      await eventually(() => said.test(command.stderr.slice(before)));
    };
    expect(await sent(proxy, 3, "a")).toEqual([3, 0]);
    await reload(picks("() => 1"), /in force/);
    expect(await sent(proxy, 3, "b")).toEqual([0, 3]);
    await reload("export const nothing = 1;", /mine\.mjs" exports no policy.*the old one stays/s);
    expect(await sent(proxy, 3, "c")).toEqual([0, 3]);
    await reload(picks("() => { throw new Error('boom'); }"), /in force/);
    const placed = await sent(proxy, 6, "d");
    expect(placed[0]! + placed[1]!).toBe(6);
    expect(placed).toEqual([3, 3]);
    const errors = command.stderr.split("\n").filter((line) => line.includes("boom"));
    expect(errors).toEqual([
      expect.stringMatching(
        /\[error\].*pool "prefill".*mine\.mjs failed, least_conn takes its place/,
      ),
    ]);
  });

  it("-t says where a wrong option stands", () => {
    const file = stack.write("wrong.yaml", textFor(example, "{ boundBites: 1 }")(8080));
    const { code, stderr } = stack.run("-t", "-c", file);
    expect(code).toBe(1);
    expect(stderr).toMatch(
      /unknown option "boundBites" of policy short_first in .*wrong\.yaml:3:\d+/,
    );
  });

  it("an nginx.conf names a module beside it", () => {
    stack.write("mine.mjs", picks("() => 0"));
    const conf = (module: string) => `events {}
http {
  upstream p { custom module=${module}; server 127.0.0.1:1; }
  server { listen 127.0.0.1:8080; location / { proxy_pass http://p; } }
}
`;
    expect(stack.run("-t", "-c", stack.write("a.conf", conf("mine.mjs"))).code).toBe(0);
    const { stderr } = stack.run("-t", "-c", stack.write("b.conf", conf("none.mjs")));
    expect(stderr).toMatch(/none\.mjs" does not exist in .*b\.conf:3/);
  });
});

/** A newcomer copies the examples of docs/models.md: each is accepted without a warning. */
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, expect, test } from "vitest";
import { currentRuntime } from "../../src/config/check/runtime.ts";
import { loadConfig } from "../../src/config/load.ts";

const page = readFileSync("docs/models.md", "utf8");
const folder = mkdtempSync(join(tmpdir(), "gp-models-"));
afterAll(() => rmSync(folder, { recursive: true }));

const blocksOf = (language: string) =>
  [...page.matchAll(new RegExp(`\`\`\`${language}\n(.*?)\`\`\``, "gs"))].map(([, text]) => text!);

test.each(blocksOf("yaml").map((text, index) => [index + 1, text] as const))(
  "the YAML of example %i",
  async (index, text) => {
    const file = join(folder, `${index}.yaml`);
    writeFileSync(file, text);
    const loaded = await loadConfig({ file }, currentRuntime());
    expect(loaded).toMatchObject({ config: expect.anything(), notices: [] });
  },
);

test("the nginx.conf", async () => {
  const file = join(folder, "nginx.conf");
  const upstreams = "upstream llama { server 127.0.0.1:1; } upstream qwen { server 127.0.0.1:2; }";
  writeFileSync(file, `events {} http { ${upstreams} ${blocksOf("nginx").join("\n")} }`);
  expect(await loadConfig({ file }, currentRuntime())).toMatchObject({ config: expect.anything() });
});

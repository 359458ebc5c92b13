/** One queue for all workers: requests beyond what engines may have at once wait, and operators see how many. */
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { eventually } from "../support/eventually.ts";
import { ask, post } from "../support/http-client.ts";
import { workerCases } from "../support/runtimes.ts";
import { type Engine, Stack } from "../support/stack.ts";

describe.each(workerCases)("on $runtime, workers: $workers", ({ runtime, workers }) => {
  const stack = new Stack(runtime);
  let engines: Engine[];
  let url: string;
  let admin: string;

  beforeAll(async () => {
    const slow = ["--prefill-tokens-per-second", "0", "--itl-ms", "20", "--batch-penalty-ms", "0"];
    engines = await stack.startEngines("mixed", 2, slow);
    const servers = engines.map((engine) => `server ${new URL(engine.url).host} max_conns=1;`);
    const textFor = (port: number) => `
      worker_processes ${workers};
      error_log stderr notice;
      pd_admin 0;
      events {}
      http {
        upstream engines { least_conn; queue 11 timeout=30s; ${servers.join(" ")} }
        server { listen 127.0.0.1:${port}; location / { proxy_pass http://engines; } }
      }`;
    const proxy = await stack.serve(textFor, "conf");
    url = proxy.url;
    admin = (await proxy.command.saysError(/heard at (http:\/\/[^\s]+)\/admin\//))[1]!;
  });
  afterAll(() => stack.end());

  test("twelve at once go through two engines one by one, and the fourteenth is told that it is too many", async () => {
    const body = { prompt: "queued", max_tokens: 20, stream: true };
    const answers = Array.from({ length: 13 }, () => post(`${url}/v1/completions`, body));
    const waiting = async () => {
      const text = (await ask(`${admin}/admin/metrics`)).body;
      return Number(/^global_proxy_waiting_requests\{pool="engines"\} (\d+)$/m.exec(text)?.[1]);
    };
    await eventually(async () => (await waiting()) === 11);
    const refused = await post(`${url}/v1/completions`, body);
    expect(refused).toMatchObject({ status: 503 });
    expect(refused.body).toContain("GP_QUEUE_FULL");
    for (const response of await Promise.all(answers)) {
      expect(response).toMatchObject({ status: 200, end: "whole" });
      expect(response.body.split("data: ")).toHaveLength(22);
    }
    expect(await waiting()).toBe(0);
    const states = await Promise.all(engines.map((engine) => engine.state()));
    expect(states.reduce((sum, { requestsSeen }) => sum + requestsSeen, 0)).toBe(13);
  });
});

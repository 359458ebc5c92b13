/** One queue for all workers: requests beyond the capacity of engines wait, and operators see how many. */
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { adminOf, waitingRequests } from "../support/admin.ts";
import { eventually } from "../support/eventually.ts";
import { post } from "../support/http-client.ts";
import { workerCasesInTurn } from "../support/runtimes.ts";
import { type Engine, Stack } from "../support/stack.ts";

const cases = workerCasesInTurn("queue");

describe.each(cases)("on $runtime, workers: $workers", ({ runtime, workers }) => {
  const stack = new Stack(runtime, { ownProcesses: true });
  let engines: Engine[];
  let url: string;
  let admin: string;

  beforeAll(async () => {
    engines = await stack.startEngines("mixed", 2);
    const servers = engines.map((engine) => `server ${new URL(engine.url).host} max_conns=1;`);
    const textFor = (port: number) => `
      worker_processes ${workers};
      error_log stderr notice;
      pd_admin 0;
      events {}
      http {
        upstream engines { least_conn; queue 11 timeout=1h; ${servers.join(" ")} }
        server { listen 127.0.0.1:${port}; location / { proxy_pass http://engines; } }
      }`;
    const proxy = await stack.serve(textFor, "conf");
    url = proxy.url;
    admin = await adminOf(proxy);
  });
  afterAll(() => stack.end());

  test("thirteen at once go through two engines one by one, and the fourteenth is rejected", async () => {
    const body = { prompt: "queued", max_tokens: 20, stream: true };
    // Stopped processes respond to nothing, however slow or fast the machine is.
    for (const engine of engines) engine.signal("SIGSTOP");
    const answers = Array.from({ length: 13 }, () => post(`${url}/v1/completions`, body));
    const waiting = () => waitingRequests(admin, "engines");
    await eventually(async () => (await waiting()) === 11);
    const refused = await post(`${url}/v1/completions`, body);
    expect(refused).toMatchObject({ status: 503 });
    expect(refused.body).toContain("GP_QUEUE_FULL");
    for (const engine of engines) engine.signal("SIGCONT");
    for (const response of await Promise.all(answers)) {
      expect(response).toMatchObject({ status: 200, end: "whole" });
      expect(response.body.split("data: ")).toHaveLength(22);
    }
    expect(await waiting()).toBe(0);
    const states = await Promise.all(engines.map((engine) => engine.state()));
    expect(states.reduce((sum, { requestsSeen }) => sum + requestsSeen, 0)).toBe(13);
  });
});

/**
 * What an engine keeps of its responses, and computes in the background: lost, leaked, or told by an engine that never
 * had it.
 */
import { afterEach, describe, expect, it } from "vitest";
import { type EngineOptions, instantTiming } from "../../../src/simulated-engine/options.ts";
import { type RunningEngine, startEngine } from "../../../src/simulated-engine/server.ts";
import { eventually } from "../../support/eventually.ts";
import { post, setFault } from "../http.ts";

const running: RunningEngine[] = [];

async function start(options: Partial<EngineOptions> = {}): Promise<RunningEngine> {
  const engine = await startEngine({ role: "mixed", ...instantTiming, ...options });
  running.push(engine);
  return engine;
}

afterEach(async () => {
  await Promise.all(running.splice(0).map((engine) => engine.close()));
});

const path = "/v1/responses";
const body = { input: "Tell me of the sea", max_output_tokens: 20 };
const slow = { itlMs: 60_000 };

interface Told {
  readonly id: string;
  readonly status: string;
  readonly output: readonly object[];
}

async function reported(response: Response | Promise<Response>): Promise<Told> {
  return (await (await response).json()) as Told;
}

const read = ({ url }: RunningEngine, { id }: Told) => reported(fetch(`${url}${path}/${id}`));

describe("a response in the background", () => {
  it("is queued at once, and there when it is done", async () => {
    const engine = await start();
    const queued = await reported(post(engine.url, path, { ...body, background: true }));
    expect(queued).toMatchObject({ status: "queued", output: [], background: true });
    await eventually(async () => (await read(engine, queued)).status === "incomplete");
    const alone = await reported(post(engine.url, path, body));
    expect((await read(engine, queued)).output).toEqual(alone.output);
  });

  it("is cancelled, and leaves the engine", async () => {
    const engine = await start(slow);
    const queued = await reported(post(engine.url, path, { ...body, background: true }));
    await eventually(() => engine.state().running === 1);
    const cancel = () => post(engine.url, `${path}/${queued.id}/cancel`, {});
    expect(await reported(cancel())).toMatchObject({ id: queued.id, status: "cancelled" });
    expect(engine.state()).toMatchObject({ running: 0, waiting: 0 });
    expect((await read(engine, queued)).status).toBe("cancelled");
    expect((await cancel()).status).toBe(400);
  });

  it("fails where its KV transfer fails", async () => {
    const engine = await start({ role: "decode", dialect: "vllm-nixl" });
    const kv_transfer_params = {
      do_remote_prefill: true,
      remote_engine_id: "gone",
      remote_request_id: "gone",
      remote_host: "127.0.0.1",
      remote_port: 1,
    };
    const request = { ...body, background: true, kv_transfer_params };
    const queued = await reported(post(engine.url, path, request));
    await eventually(async () => (await read(engine, queued)).status === "failed");
  });

  it("must be one that is kept", async () => {
    const { url } = await start();
    const response = await post(url, path, { ...body, background: true, store: false });
    expect(response.status).toBe(400);
  });
});

it("a response that its client has waited for cannot be cancelled", async () => {
  const { url } = await start();
  const { id } = await reported(post(url, path, body));
  const response = await post(url, `${path}/${id}/cancel`, {});
  expect(response.status).toBe(400);
  expect(await response.json()).toMatchObject({
    error: { message: "Cannot cancel a synchronous response.", code: 400 },
  });
});

it("one engine does not go on with what another has kept", async () => {
  const [holder, other] = [await start(), await start()];
  const { id } = await reported(post(holder.url, path, body));
  const more = { ...body, input: "And then?", previous_response_id: id };
  expect((await post(holder.url, path, more)).status).toBe(200);
  const response = await post(other.url, path, more);
  expect(response.status).toBe(404);
  expect(await response.json()).toMatchObject({
    error: { type: "invalid_request_error", param: "response_id", code: 404 },
  });
});

it("a stream that breaks off is not kept; one that ends is", async () => {
  const { url } = await start();
  await setFault(url, { kind: "reset-after-chunks", chunks: 4, times: 1 });
  const request = { ...body, stream: true, request_id: "resp_a" };
  await expect((await post(url, path, request)).text()).rejects.toThrow();
  expect((await fetch(`${url}${path}/resp_a`)).status).toBe(404);
  await (await post(url, path, request)).text();
  expect(await reported(fetch(`${url}${path}/resp_a`))).toMatchObject({ status: "incomplete" });
});

it("a stream says that it has begun before anything is computed", async () => {
  const { url } = await start({ prefillTokensPerSecond: 0.001 });
  const response = await post(url, path, { ...body, stream: true });
  const reader = response.body!.getReader();
  const { value } = await reader.read();
  expect(Buffer.from(value!).toString()).toMatch(/^event: response\.created\ndata: /);
  await reader.cancel();
});

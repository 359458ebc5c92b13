/** Asserts that a rival does the whole work and does it right, before any of its figures is taken. */

import { deepStrictEqual, ok, strictEqual } from "node:assert";
import { request } from "node:http";
import { request as secureRequest } from "node:https";
import type { Engine } from "./engine-handle.ts";
import { COMPLETION_BODY, chunkText, KV_TRANSFER_PARAMS, renderRequest } from "./payloads.ts";
import type { Rival, RunningRival } from "./rivals/rival.ts";

const CHUNKS = 200;
const ANSWER_LIMIT_MS = 15_000;

interface ClientResponse {
  readonly status: number;
  readonly text: string;
}

export function post(port: number, body: Buffer, isTls = false): Promise<ClientResponse> {
  return new Promise((resolve, reject) => {
    const req = (isTls ? secureRequest : request)(
      {
        // The certificate is of the run's own.
        ...(isTls && { rejectUnauthorized: false }),
        host: "127.0.0.1",
        port,
        path: "/v1/completions",
        method: "POST",
        agent: false,
        timeout: ANSWER_LIMIT_MS,
        headers: { "content-type": "application/json", "content-length": body.length },
      },
      (res) => {
        const parts: Buffer[] = [];
        res.on("data", (part: Buffer) => parts.push(part));
        res.on("error", reject);
        res.on("end", () =>
          resolve({ status: res.statusCode ?? 0, text: Buffer.concat(parts).toString() }),
        );
      },
    );
    req.on("timeout", () => req.destroy(new Error("no answer in time")));
    req.on("error", reject);
    req.end(body);
  });
}

export async function checkRival(
  rival: Rival,
  running: RunningRival,
  engine: Engine,
): Promise<void> {
  await engine.setPace({ tickMs: 1, buckets: 1, chunks: CHUNKS });
  await engine.record(true);
  try {
    for (const bodyBytes of [2048, 60 * 1024]) {
      for (const stream of [false, true]) {
        await checkRequest(rival, running, engine, renderRequest(bodyBytes, stream), stream);
      }
    }
  } catch (cause) {
    const said = running.output();
    throw new Error(`${rival.title} does not answer correctly; it printed: ${said}`, { cause });
  } finally {
    await engine.record(false);
  }
}

async function checkRequest(
  rival: Rival,
  running: RunningRival,
  engine: Engine,
  body: Buffer,
  stream: boolean,
): Promise<void> {
  await engine.reset();
  const response = await post(running.port, body, running.isTls);
  strictEqual(response.status, 200, response.text);
  if (stream) checkStream(response.text);
  else strictEqual(response.text, COMPLETION_BODY);

  const count = await engine.count();
  strictEqual(count.decode, 1, "requests at decode");
  strictEqual(count.prefill, rival.disaggregates ? 1 : 0, "requests at prefill");
  strictEqual(count.prefillWrong, 0, "prefill requests that ask for more than one token");
  strictEqual(count.decodeWithoutKv, rival.disaggregates ? 0 : 1, "decode without hand-off");

  const seen = await engine.lastBodies();
  if (!rival.disaggregates) {
    strictEqual(seen.decode, body.toString());
    return;
  }
  const asked = JSON.parse(body.toString()) as Record<string, unknown>;
  const { kv_transfer_params: kv, ...decode } = JSON.parse(seen.decode) as Record<string, unknown>;
  deepStrictEqual(decode, asked, "decode body without the hand-off");
  deepStrictEqual(kv, JSON.parse(KV_TRANSFER_PARAMS));
  ok(seen.decode.includes(KV_TRANSFER_PARAMS), "the hand-off goes across byte for byte");
  const prefill = JSON.parse(seen.prefill) as Record<string, unknown>;
  strictEqual(prefill["prompt"], asked["prompt"]);
  strictEqual(prefill["max_tokens"], 1);
  strictEqual(prefill["stream"], false);
}

function checkStream(text: string): void {
  const events = text.split("\n\n");
  strictEqual(events.pop(), "", "the stream ends after an event");
  strictEqual(events.pop(), "data: [DONE]");
  strictEqual(events.length, CHUNKS, "events before [DONE]");
  for (const [i, event] of events.entries()) {
    const data = JSON.parse(event.slice("data: ".length)) as { choices: { text: string }[] };
    strictEqual(data.choices[0]?.text, chunkText(i));
  }
}

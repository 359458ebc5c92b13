/**
 * The pages of omni_proxy that its users' tools read: names, layout and order are those of the original, and what they
 * say is true. Requests carry the original's headers, and its usage in streams.
 */
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { ask, post } from "../support/http-client.ts";
import { freePorts } from "../support/ports.ts";
import { bunAndOneNode } from "../support/runtimes.ts";
import { sharedEngines } from "../support/shared-engines.ts";
import { type ServingProxy, Stack } from "../support/stack.ts";

const { prefills, decodes } = sharedEngines(1, 1);

function omniConf(port: number, dead: number): string {
  return `events {}
http {
    upstream prefill_endpoints {
        server 127.0.0.1:${prefills[0]!.port};
        server 127.0.0.1:${dead};
    }
    upstream decode_endpoints {
        server 127.0.0.1:${decodes[0]!.port};
    }
    server {
        listen 127.0.0.1:${port};
        enable_internal_metrics 128k;
        location ~ ^/v1(/chat)?/completions$ {
            omni_proxy decode_endpoints;
            stream_ops set_opt;
            set_trace_headers_force on;
        }
        location = /omni_proxy/metrics { omni_proxy_metrics on; }
        location = /omni_proxy/health { omni_proxy_health_status on; }
        location = /health { omni_proxy_broadcast on; }
        location = /wake_up { omni_proxy_broadcast on; }
    }
}
`;
}

describe.each(bunAndOneNode("route-pages"))("on %s", (runtime) => {
  const stack = new Stack(runtime);
  let proxy: ServingProxy;
  let dead: number;
  beforeAll(async () => {
    [dead] = (await freePorts(1)) as [number];
    proxy = await stack.serve((port) => omniConf(port, dead), "conf");
  });
  afterAll(() => stack.end());

  const get = (path: string) => ask(`${proxy.url}${path}`);

  test("health is laid out as the original does it, with who is down", async () => {
    const { status, body } = await get("/omni_proxy/health");
    expect(status).toBe(200);
    const server = (role: string, index: number, port: number, isWell: boolean) => `        {
            "status": "${isWell ? "running" : "failed"}",
            "pod_name": "",
            "url": "127.0.0.1:${port}",
            "role": "${role}",
            "index": ${index},
            "port": ${port},
            "fault_message": "${isWell ? "healthy" : "unhealthy"}",
            "alert": ""
        }`;
    expect(body.replace(/\d{4}-\d\d-\d\d \d\d:\d\d:\d\d/, "TIME")).toBe(`{
    "code": 206,
    "status": "warn, unhealthy servers exist",
    "timestamp": "TIME",
    "summary": "1P1-1D1",
    "total_prefill_servers": 2,
    "health_prefill_servers": 1,
    "total_decode_servers": 1,
    "health_decode_servers": 1,
    "prefill": [
${server("prefill", 0, prefills[0]!.port, true)},
${server("prefill", 1, dead, false)}
    ],
    "decode": [
${server("decode", 0, decodes[0]!.port, true)}
    ]
}
`);
  });

  test("a broadcast reaches every engine, and lists what each said in the original's order", async () => {
    const { status, body } = await get("/health");
    expect(status).toBe(200);
    const one = (type: string, index: number, port: number, ok: boolean, said: number) =>
      `{"type":"${type}","index":${index},"address":"127.0.0.1:${port}","ok":${ok},"status":${said},"body":""}`;
    const results = [
      one("prefill", 0, prefills[0]!.port, true, 200),
      one("prefill", 1, dead, false, 502),
      one("decode", 0, decodes[0]!.port, true, 200),
    ];
    const summary = '"summary":{"total":3,"success":2,"failed":1}';
    expect(body).toBe(`{"uri":"/health","results":[${results.join(",")}],${summary}}\n`);
  });

  test("a broadcast that no engine could do is no success", async () => {
    const json = { "content-type": "application/json" };
    const asked = { method: "POST", headers: json, body: '{"tags":["weights"]}' };
    const response = await fetch(`${proxy.url}/wake_up?tags=weights`, asked);
    expect(response.status).toBe(502);
    const report = (await response.json()) as { uri: string; results: { body: string }[] };
    expect(report.uri).toBe("/wake_up");
    expect(report.results[0]!.body).toBe('{"detail":"Not Found"}');
    const seen = (await decodes[0]!.requests()).at(-1)!;
    expect(seen).toMatchObject({ method: "POST", path: "/wake_up", body: '{"tags":["weights"]}' });
  });

  test("a streamed request asks for usage, and both engines get one trace", async () => {
    const body = { model: "simulated", prompt: "hello", max_tokens: 2, stream: true };
    const { body: events } = await post(`${proxy.url}/v1/completions`, body);
    expect(events.match(/"usage":\{/g)).toHaveLength(3);
    const legs = [(await prefills[0]!.requests()).at(-1)!, (await decodes[0]!.requests()).at(-1)!];
    const traces = legs.map(({ rawHeaders }) => headersOf(rawHeaders));
    const [first] = traces;
    expect(first!["traceparent"]).toMatch(/^00-[0-9a-f]{32}-[0-9a-f]{16}-01$/);
    expect(first!["ttft_traceparent"]).toBe(first!["traceparent"]);
    expect(first!["start_time_ns"]).toMatch(/^\d{19}$/);
    expect(first!["ttft_start_time"]).toBe(first!["start_time_ns"]);
    expect(traces[1]).toEqual(first);
    expect(JSON.parse(legs[1]!.body)).toMatchObject({
      stream_options: { include_usage: true, continuous_usage_stats: true },
    });
    const whole = await post(`${proxy.url}/v1/completions`, { ...body, stream: false });
    expect(whole.status).toBe(200);
  });

  test("metrics have the original's names, with labels on every series", async () => {
    const { body, headers } = await get("/omni_proxy/metrics");
    expect(headers["content-type"]).toMatch(/^text\/plain/);
    const endpoint = `endpoint="127.0.0.1:${decodes[0]!.port}",role="decode"`;
    expect(body).toContain(`omni_decode_running_requests{${endpoint}} 0\n`);
    expect(body).toContain('omni_phase_waiting{phase="PHASE_DECODING"} 0\n');
    const labels = '{engine="0",model_name="simulated"}';
    expect(body).toContain(`vllm:time_to_first_token_seconds_count${labels} 1\n`);
    expect(body).toContain(`vllm:e2e_request_latency_seconds_count${labels} 2\n`);
    expect(body).toContain(`vllm:requests_success_total${labels} 2\n`);
    const internal = await get("/internal/metrics");
    expect(internal.body).toContain(`vllm:requests_success_total${labels} 2\n`);
    expect(internal.body).not.toContain("omni_");
  });
});

const traceHeaders = ["traceparent", "ttft_traceparent", "start_time_ns", "ttft_start_time"];

function headersOf(raw: readonly string[]): Record<string, string> {
  const pairs = raw.flatMap((name, i) =>
    i % 2 === 0 && traceHeaders.includes(name.toLowerCase())
      ? [[name.toLowerCase(), raw[i + 1]!]]
      : [],
  );
  return Object.fromEntries(pairs) as Record<string, string>;
}

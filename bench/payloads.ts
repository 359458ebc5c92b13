/** The bytes of the benchmark: request bodies, and the engine's answers, all rendered once. */

/** One streamed event and its chunk framing, as a single buffer: one write, one TCP segment. */
export interface RenderedStream {
  readonly head: Buffer;
  readonly chunks: readonly Buffer[];
  readonly end: Buffer;
}

const PARAGRAPHS = [
  'The operator asked: "Why did the second replica restart?" The log said only that the lease had\n' +
    "expired, and that the next holder took over within four seconds of the last heartbeat.\n\n",
  "## Retrieved passage\n\nA prefill engine computes the attention keys and values of the whole prompt at once " +
    "and is\n" +
    "bound by arithmetic; a decode engine produces one token per step and is bound by memory bandwidth.\n\n",
  "```python\nfor block in request.blocks:\n\tif block.ref_count == 0:\n" +
    '\t\tpool.free(block)  # "free" means reusable\n```\n\n',
  "Das Rechenzentrum in Zürich meldete 37 °C am Einlass; naïve averaging over the façade’s " +
    "sensors hid the peak.\n" +
    "Keep the original units, and quote every number that you rely on.\n\n",
  "Paths such as C:\\models\\weights and /var/lib/engine/cache are both in the table. Answer in plain sentences,\n" +
    "do not repeat the question, and say which passage supports each claim.\n\n",
];

/** A completion request of exactly `bodyBytes` bytes, in the key order of vLLM's own benchmark client. */
export function renderRequest(bodyBytes: number, stream: boolean): Buffer {
  const before = '{"model":"bench","prompt":';
  const after = `,"temperature":0.7,"max_tokens":200,"stream":${stream}${
    stream ? ',"stream_options":{"include_usage":true}' : ""
  }}`;
  const room = bodyBytes - Buffer.byteLength(before) - Buffer.byteLength(after);
  let prompt = "";
  for (let i = 0; Buffer.byteLength(JSON.stringify(prompt)) < room; i++) {
    prompt += `[${i + 1}] ${PARAGRAPHS[i % PARAGRAPHS.length]}`;
  }
  while (Buffer.byteLength(JSON.stringify(prompt)) > room) prompt = prompt.slice(0, -1);
  prompt += ".".repeat(room - Buffer.byteLength(JSON.stringify(prompt)));
  return Buffer.from(before + JSON.stringify(prompt) + after);
}

/** What a vLLM NixlConnector prefill answers at the top level; decode must receive these very bytes. */
export const KV_TRANSFER_PARAMS: string = JSON.stringify({
  do_remote_prefill: true,
  do_remote_decode: false,
  remote_block_ids: Array.from({ length: 40 }, (_, i) => 1024 + i * 3),
  remote_engine_id: "5f0c2f0e-8f5e-4d0b-9d4e-4a8f6a2f9c11",
  remote_request_id: "cmpl-7b1c1f0a-5d0e-4a55-8a52-0d2a3a9f7c01-0",
  remote_host: "127.0.0.1",
  remote_port: 5600,
  tp_size: 1,
});

const USAGE = '"usage":{"prompt_tokens":480,"total_tokens":680,"completion_tokens":200}';

/** The decode engine's answer without streaming, about 400 bytes of JSON. */
export const COMPLETION_BODY: string =
  '{"id":"cmpl-bench","object":"text_completion","created":1767225600,"model":"bench","choices":[{"index":0,"text":' +
  '" The lease expired because its holder was paused by the kernel for longer than the heartbeat interval; ' +
  'passage 2 gives the length of the pause and passage 4 the interval.","logprobs":null,"finish_reason":"stop",' +
  `"stop_reason":null}],${USAGE}}`;

const PREFILL_BODY =
  '{"id":"cmpl-bench","object":"text_completion","created":1767225600,"model":"bench",' +
  '"choices":[{"index":0,"text":" The",' +
  '"logprobs":null,"finish_reason":"length","stop_reason":null}],' +
  `${USAGE},"kv_transfer_params":${KV_TRANSFER_PARAMS}}`;

export const COMPLETION_ANSWER: Buffer = renderJsonResponse("200 OK", COMPLETION_BODY);
export const PREFILL_ANSWER: Buffer = renderJsonResponse("200 OK", PREFILL_BODY);

/** A whole keep-alive answer with uvicorn's usual headers. */
export function renderJsonResponse(status: string, body: string): Buffer {
  return Buffer.from(
    `HTTP/1.1 ${status}\r\ndate: Thu, 01 Jan 2026 00:00:00 GMT\r\nserver: uvicorn\r\n` +
      `content-length: ${Buffer.byteLength(body)}\r\ncontent-type: application/json\r\n\r\n${body}`,
  );
}

/** The text of chunk number `index`, so that a client can tell a lost or reordered chunk. */
export function chunkText(index: number): string {
  return ` token${index}`;
}

export function renderStream(chunks: number): RenderedStream {
  const framed = (event: string): string =>
    `${Buffer.byteLength(event).toString(16)}\r\n${event}\r\n`;
  return {
    head: Buffer.from(
      "HTTP/1.1 200 OK\r\ndate: Thu, 01 Jan 2026 00:00:00 GMT\r\nserver: uvicorn\r\n" +
        "content-type: text/event-stream; charset=utf-8\r\ntransfer-encoding: chunked\r\n\r\n",
    ),
    chunks: Array.from({ length: chunks }, (_, i) =>
      Buffer.from(
        framed(
          'data: {"id":"cmpl-bench","object":"text_completion","created":1767225600,"model":"bench",' +
            `"choices":[{"index":0,"text":"${chunkText(i)}","logprobs":null,"finish_reason":null}],"usage":null}\n\n`,
        ),
      ),
    ),
    end: Buffer.from(`${framed("data: [DONE]\n\n")}0\r\n\r\n`),
  };
}

/** Both engines at once: decode may respond long before the prefill has, or has failed. */
import { createServer, type IncomingMessage, type Server, type ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from "vitest";
import { eventually } from "../../support/eventually.ts";
import { post } from "../../support/http-client.ts";
import { oneRuntime } from "../../support/runtimes.ts";
import { Stack } from "../../support/stack.ts";

const path = "/v1/completions";
const event = `data: {"choices":[{"text":"${"decode's ".repeat(4000)}"}]}\n\n`;
const eventCount = 2_500;
const streamBytes = event.length * eventCount;
/** Engines that do what each test says. */
class Scripted {
  readonly bodies: string[] = [];
  closedEarly = 0;
  response: (response: ServerResponse) => void = () => {};
  readonly #server: Server;

  constructor() {
    this.#server = createServer((request, response) => this.#take(request, response));
  }

  async listen(): Promise<string> {
    await new Promise<void>((resolve) => this.#server.listen(0, "127.0.0.1", resolve));
    return `http://127.0.0.1:${(this.#server.address() as AddressInfo).port}`;
  }

  close(): void {
    this.#server.closeAllConnections();
    this.#server.close();
  }

  #take(request: IncomingMessage, response: ServerResponse): void {
    // The proxy asks engines for what they are.
    if (request.method === "GET") {
      response.writeHead(404).end();
      return;
    }
    let text = "";
    request.setEncoding("utf8").on("data", (part: string) => {
      text += part;
    });
    request.on("end", () => {
      this.bodies.push(text);
      response.on("close", () => {
        if (!response.writableFinished) this.closedEarly += 1;
      });
      this.response(response);
    });
  }
}

/** Sends the stream as fast as it is taken. */
function stream(response: ServerResponse): void {
  response.writeHead(200, { "content-type": "text/event-stream" });
  let left = eventCount;
  const more = (): void => {
    while (left > 0) {
      left -= 1;
      const hasCapacity = response.write(event);
      if (!hasCapacity) {
        response.once("drain", more);
        return;
      }
    }
    response.end();
  };
  more();
}

describe.each(oneRuntime("sglang-queued"))("on %s", (runtime) => {
  const stack = new Stack(runtime);
  const [prefill, decode] = [new Scripted(), new Scripted()];
  let url: string;
  /** The response to the prefill that waits. */
  let release: ServerResponse | undefined;

  beforeAll(async () => {
    const [prefillUrl, decodeUrl] = await Promise.all([prefill.listen(), decode.listen()]);
    const words = ["--dialect", "sglang", "--prefill", prefillUrl, "--decode", decodeUrl];
    const proxy = await stack.startProxy(...words, "--listen", "127.0.0.1:0");
    url = proxy.url + path;
  });
  beforeEach(() => {
    decode.closedEarly = 0;
    release = undefined;
    prefill.response = (response) => {
      release = response;
    };
    decode.response = stream;
  });
  afterEach(() => {
    prefill.bodies.length = 0;
    decode.bodies.length = 0;
  });
  afterAll(async () => {
    await stack.end();
    prefill.close();
    decode.close();
  });

  test.each([
    ["is done", (response: ServerResponse) => response.end("{}")],
    ["fails", (response: ServerResponse) => response.writeHead(500).end('{"error":{}}')],
    ["breaks off", (response: ServerResponse) => response.destroy()],
  ])(
    "decode's stream goes to the client at once, and whole when the prefill %s",
    async (_, ends) => {
      let parts = 0;
      const onData = (): void => {
        parts += 1;
      };
      const response = post(url, { prompt: "x", stream: true }, { onData });
      await eventually(() => release !== undefined && parts > 0);
      ends(release!);
      const { status, end, body } = await response;
      expect([status, end, body.length]).toEqual([200, "whole", streamBytes]);
      expect(body === event.repeat(eventCount)).toBe(true);
    },
  );

  test.each([400, 500, 503])(
    "the prefill fails with %i before decode has responded: the client gets that, and decode is cancelled",
    async (status) => {
      decode.response = () => {};
      const error = '{"error":{"message":"no KV"}}';
      const asked = post(url, { prompt: "x", stream: true });
      await eventually(() => release !== undefined && decode.bodies.length === 1);
      release!.writeHead(status).end(error);
      const response = await asked;
      expect([response.status, response.body]).toEqual([status, error]);
      await eventually(() => decode.closedEarly === 1);
    },
  );

  test("decode fails while the prefill is running: the client gets that error, the prefill is cancelled", async () => {
    prefill.closedEarly = 0;
    decode.response = (response) => response.writeHead(400).end('{"error":{"message":"no"}}');
    const response = await post(url, { prompt: "x" });
    expect([response.status, response.body]).toEqual([400, '{"error":{"message":"no"}}']);
    await eventually(() => prefill.closedEarly === 1);
  });

  test("another try is in another room, for both", async () => {
    const all = [new Scripted(), new Scripted(), new Scripted(), new Scripted()];
    const [first, second, third, fourth] = (await Promise.all(
      all.map((e) => e.listen()),
    )) as string[];
    const words = [
      "--dialect",
      "sglang",
      "--prefill",
      first!,
      second!,
      "--decode",
      third!,
      fourth!,
    ];
    const proxy = await stack.startProxy(...words, "--listen", "127.0.0.1:0");
    const [prefills, decodes] = [all.slice(0, 2), all.slice(2)];
    const rooms = (engines: readonly Scripted[]) =>
      engines.flatMap(({ bodies }) => bodies).map((body) => /room":(\d+)/.exec(body)![1]!);
    for (const engine of prefills) {
      engine.response = (response) => {
        if (rooms(prefills).length === 1) response.destroy();
        else response.end("{}");
      };
    }
    for (const engine of decodes) {
      // The first one waits for its prefill, as SGLang does.
      engine.response = (response) => {
        if (rooms(decodes).length > 1) response.end('{"choices":[{}]}');
      };
    }
    const response = await post(proxy.url + path, { prompt: "x" });
    expect([response.status, response.body]).toEqual([200, '{"choices":[{}]}']);
    expect(new Set(rooms(prefills)).size).toBe(2);
    expect(rooms(decodes).sort()).toEqual(rooms(prefills).sort());
    for (const engine of all) engine.close();
  });
});

/** Clients get the header lines and trailers that the configuration adds, and none that it hides. Values as nginx's. */
import { describe, expect, it } from "vitest";
import { World, type WorldOptions } from "./world.ts";

type Route = NonNullable<WorldOptions["routes"]>[number];

const head =
  "Server: uvicorn\r\nDate: Thu, 01 Jan 1970 00:00:00 GMT\r\nX-Engine: e\r\n" +
  'Last-Modified: Tue, 02 Jan 2024 00:00:00 GMT\r\nETag: "x"\r\n';
const inOnePiece = `${head}Content-Length: 2\r\n\r\nok`;
const inChunks = `${head}Transfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n2\r\nde\r\n0\r\nX-T: t\r\n\r\n`;

interface Asked {
  readonly status?: number;
  readonly rest?: string;
  readonly request?: string;
}

/** The response that a client gets, byte for byte. */
function respond(route: Partial<Route>, { status = 200, rest = inOnePiece, request }: Asked = {}) {
  const world = new World({
    prefill: 0,
    decode: 1,
    routes: [{ match: { path: "/" }, target: { pool: "decode" }, byEndpoint: false, ...route }],
  });
  for (const engine of world.engines) {
    engine.checksTransfer = false;
    engine.script = (_, connection) => connection.send(`HTTP/1.1 ${status} X\r\n${rest}`);
  }
  const client = world.client();
  const asked = request ?? "GET /v1/x HTTP/1.1\r\nHost: a.example\r\n\r\n";
  client.send(asked, asked.slice(0, asked.indexOf(" ")));
  world.responseTo(client);
  const text = client.receivedText;
  world.expectNothingLeft();
  const lines = text.slice(0, text.indexOf("\r\n\r\n")).split("\r\n").slice(1);
  return {
    text,
    lines,
    of: (name: string) => lines.filter((line) => line.startsWith(`${name}: `)),
  };
}

const always = (name: string, value: string) => ({ name, value, onErrors: true });
const unlessError = (name: string, value: string) => ({ name, value, onErrors: false });

describe("added headers", () => {
  it("stand behind the engine's, each on a line of its own, and an empty one on none", () => {
    const responseHeaders = [
      always("A", "$uri"),
      always("A", "2"),
      always("B", ""),
      always("C", "$sent_http_x_engine $upstream_status"),
    ];
    const { lines } = respond({ responseHeaders });
    expect(lines.slice(lines.indexOf("A: /v1/x"))).toEqual(["A: /v1/x", "A: 2", "C: e 200"]);
  });

  it.each([
    [200, ["A: 1", "B: 2"]],
    [201, ["A: 1", "B: 2"]],
    [203, ["B: 2"]],
    [206, ["A: 1", "B: 2"]],
    [307, ["A: 1", "B: 2"]],
    [404, ["B: 2"]],
    [500, ["B: 2"]],
  ])("of status %i: %j", (status, expected) => {
    const responseHeaders = [unlessError("A", "1"), always("B", "2")];
    const { of } = respond({ responseHeaders }, { status });
    expect([...of("A"), ...of("B")]).toEqual(expected);
  });

  it.each([
    ["a text", { status: 200, text: "x" }, ["A: 1", "B: 2"]],
    ["a redirect", { status: 301, text: "/x" }, ["A: 1", "B: 2"]],
    ["an error", { status: 404 }, ["B: 2"]],
  ])("are added to %s of the configuration's own", (_, reply, expected) => {
    const responseHeaders = [unlessError("A", "1"), always("B", "2")];
    const { of } = respond({ responseHeaders, steps: [{ return: reply }] });
    expect([...of("A"), ...of("B")]).toEqual(expected);
  });

  it("take the place of the engine's date of change and tag; empty ones remove them", () => {
    const date = "Mon, 01 Jan 2024 00:00:00 GMT";
    const replaced = respond({
      responseHeaders: [always("last-modified", date), always("ETag", "y")],
    });
    expect(replaced.of("Last-Modified")).toEqual([]);
    expect(replaced.of("last-modified")).toEqual([`last-modified: ${date}`]);
    expect(replaced.of("ETag")).toEqual(["ETag: y"]);
    const removed = respond({ responseHeaders: [always("Last-Modified", ""), always("ETag", "")] });
    expect([...removed.of("Last-Modified"), ...removed.of("ETag")]).toEqual([]);
    const kept = respond({ responseHeaders: [unlessError("ETag", "y")] }, { status: 404 });
    expect(kept.of("ETag")).toEqual(['ETag: "x"']);
  });

  it("cannot be made to end early by what a client sends", () => {
    // U+010A, of which the low byte is a line feed.
    const request = "GET /%C4%8AX-Evil:%20y HTTP/1.1\r\nHost: a.example\r\n\r\n";
    const { of } = respond({ responseHeaders: [always("A", "$uri")] }, { request });
    expect([...of("A"), ...of("X-Evil")]).toEqual(["A: /\xc4\x8aX-Evil: y"]);
  });
});

describe("hidden headers", () => {
  it("do not go on, and Server and Date are the proxy's", () => {
    const { of } = respond({ hideHeaders: ["x-engine", "Server", "Date"] });
    expect(of("X-Engine")).toEqual([]);
    expect(of("Server")).toEqual(["Server: global-proxy"]);
    expect(of("Date")).toHaveLength(1);
    expect(of("Date")).not.toEqual(["Date: Thu, 01 Jan 1970 00:00:00 GMT"]);
  });

  it("never are the length, without which the body has no end", () => {
    expect(respond({ hideHeaders: ["Content-Length"] }).of("Content-Length")).toHaveLength(1);
  });
});

describe("trailers", () => {
  const responseTrailers = [always("T", "$status"), always("E", "")];

  it.each([
    ["of known length", inOnePiece, "2\r\nok\r\n0\r\nT: 200\r\n\r\n"],
    ["in chunks", inChunks, "3\r\nabc\r\n2\r\nde\r\n0\r\nT: 200\r\n\r\n"],
  ])("stand behind a body %s", (_, rest, body) => {
    const { text, of } = respond({ responseTrailers }, { rest });
    expect(text.slice(text.indexOf("\r\n\r\n") + 4)).toBe(body);
    expect(of("Transfer-Encoding")).toEqual(["Transfer-Encoding: chunked"]);
    expect(of("Content-Length")).toEqual([]);
  });

  it("stand behind a text of the configuration's own", () => {
    const { text } = respond({
      responseTrailers,
      steps: [{ return: { status: 200, text: "hi" } }],
    });
    expect(text.endsWith("\r\n\r\n2\r\nhi\r\n0\r\nT: 200\r\n\r\n")).toBe(true);
  });

  it.each([
    ["an HTTP/1.0 client", "GET / HTTP/1.0\r\n\r\n"],
    ["a request for the head alone", "HEAD / HTTP/1.1\r\nHost: a\r\n\r\n"],
  ])("are not sent to %s", (_, request) => {
    const rest = request.startsWith("HEAD") ? `${head}Content-Length: 2\r\n\r\n` : inOnePiece;
    const { of, text } = respond({ responseTrailers }, { request, rest });
    expect(of("Content-Length")).toEqual(["Content-Length: 2"]);
    expect(text).not.toContain("T: 200");
  });
});

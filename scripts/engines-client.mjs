/**
 * The clients of `engines.mjs`, as a process of their own: many streams at once through a proxy, each compared with what
 * an engine says that prefills and decodes by itself. Reads one cell a line from its standard input and prints one
 * result a line:
 *
 *     {"url","oracle","clients","requests","waitMs","turnAfter","graceMs"} → {"turn":true}, then {"right","lost","begun",…}
 *
 * `{"turn": true}` says that so many requests are over; the caller then turns an engine bad and responds with a line. Of
 * what begins up to `graceMs` later, as of what began before, the rest may be missing.
 */
import { Agent, request as httpRequest } from "node:http";
import { createInterface } from "node:readline";

/** Clients wait at least so many times longer than any response took while all engines were well. */
const patienceFactor = 6;
const agent = new Agent({ keepAlive: true, maxSockets: 200 });

const words = ["river", "stone", "lantern", "harbour", "meadow", "copper", "winter", "signal"];

/**
 * Ends with a full stop: a prompt that ends with a word of the engines' own may be the beginning of a response to what
 * stands before it, which they then continue, in other words when they get it as tokens.
 */
function requestOf(index) {
  const text = `request ${index}: ${Array.from({ length: 20 + ((index * 7) % 60) }, (_, i) => words[(index + i * i) % words.length]).join(" ")}.`;
  const common = { model: "simulated", max_tokens: 8 + (index % 9), stream: index % 8 !== 5 };
  return index % 2 === 0
    ? { path: "/v1/completions", body: { prompt: text, ...common } }
    : {
        path: "/v1/chat/completions",
        body: { messages: [{ role: "user", content: text }], ...common },
      };
}

function post(url, { path, body }, waitMs, onFirstByte = () => {}) {
  const sentAt = performance.now();
  return new Promise((resolve) => {
    let status = 0;
    let text = "";
    const end = (how) => {
      clearTimeout(timer);
      resolve({ status, text, how, tookMs: performance.now() - sentAt });
    };
    const json = JSON.stringify(body);
    const headers = {
      "content-type": "application/json",
      "content-length": Buffer.byteLength(json),
    };
    const request = httpRequest(url + path, { method: "POST", agent, headers });
    const timer = setTimeout(() => {
      end("left");
      request.destroy();
    }, waitMs);
    request.on("error", () => end("broken"));
    request.on("response", (response) => {
      status = response.statusCode;
      onFirstByte();
      response.setEncoding("utf8");
      response.on("data", (part) => {
        text += part;
      });
      response.on("end", () => end("whole"));
      response.on("error", () => end("broken"));
    });
    request.end(json);
  });
}

/** A proxy may have to give a request an id of its own. */
const withoutIds = (text) => text.replaceAll(/"id":"[^"]*"/g, '"id":""');

const expected = new Map();
async function expectedOf(oracle, index) {
  const known = expected.get(index);
  if (known !== undefined) return known;
  const { status, text } = await post(oracle, requestOf(index), 60_000);
  if (status !== 200) throw new Error(`the engine itself rejects a request: ${status} ${text}`);
  expected.set(index, withoutIds(text));
  return expected.get(index);
}

async function runCell(cell, turn) {
  const total = cell.clients * cell.requests;
  for (let index = 0; index < total; index += 1) await expectedOf(cell.oracle, index);
  const result = {
    right: 0,
    lost: 0,
    begun: 0,
    usualMs: 0,
    slowestMs: 0,
    slowestLossMs: 0,
    ways: {},
    examples: [],
  };
  let over = 0;
  let turnedAt;
  let waitMs = cell.waitMs;
  const enter = (index, { status, text, how, tookMs }, firstByteAt) => {
    over += 1;
    if (over <= cell.turnAfter) result.usualMs = Math.max(result.usualMs, tookMs);
    if (over === cell.turnAfter) {
      // How fast the machine is decides nothing.
      waitMs = Math.max(waitMs, patienceFactor * result.usualMs);
      turn().then(() => {
        turnedAt = performance.now();
      });
    }
    if (how === "whole" && status === 200 && withoutIds(text) === expected.get(index)) {
      result.right += 1;
      result.slowestMs = Math.max(result.slowestMs, tookMs);
      return;
    }
    // No other engine could have continued what had begun before its engine turned bad.
    if (
      firstByteAt !== undefined &&
      firstByteAt < (turnedAt ?? Infinity) + cell.graceMs &&
      status === 200 &&
      how !== "whole"
    ) {
      result.begun += 1;
      return;
    }
    result.lost += 1;
    result.slowestLossMs = Math.max(result.slowestLossMs, tookMs);
    const code = /"code":\s*"?(\w+)/.exec(text)?.[1] ?? "";
    const way = [how, status, status === 200 ? "" : code].join(" ").trim();
    result.ways[way] = (result.ways[way] ?? 0) + 1;
    if (result.examples.length < 3) {
      const is = withoutIds(text);
      const should = expected.get(index);
      let at = 0;
      while (at < is.length && is[at] === should[at]) at += 1;
      const cut = (one) => one.slice(Math.max(0, at - 40), at + 160);
      result.examples.push(
        `request ${index}, ${way}, ${Math.round(tookMs)} ms: «${cut(is)}», not «${cut(should)}»`,
      );
    }
  };
  const client = async (number) => {
    for (let i = 0; i < cell.requests; i += 1) {
      const index = number * cell.requests + i;
      let firstByteAt;
      const response = await post(
        cell.url,
        requestOf(index),
        over < cell.turnAfter ? 60_000 : waitMs,
        () => {
          firstByteAt = performance.now();
        },
      );
      enter(index, response, firstByteAt);
    }
  };
  await Promise.all(Array.from({ length: cell.clients }, (_, number) => client(number)));
  return result;
}

const lines = createInterface({ input: process.stdin })[Symbol.asyncIterator]();
const print = (value) => process.stdout.write(`${JSON.stringify(value)}\n`);
for (;;) {
  const { value, done } = await lines.next();
  if (done) break;
  print(
    await runCell(JSON.parse(value), () => {
      print({ turn: true });
      return lines.next();
    }),
  );
}

// Requests with random damage, the same ones for the same seed.

import { chunkedPost, post } from "./messages.ts";

/** Mulberry32: enough for tests, and the same on each runtime. */
export function randomOf(seed: number): () => number {
  let state = seed >>> 0;
  return () => {
    state = (state + 0x6d2b79f5) >>> 0;
    let mixed = Math.imul(state ^ (state >>> 15), 1 | state);
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed;
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 4_294_967_296;
  };
}

const SEEDS: readonly string[] = [
  `${post("Content-Length: 5", "Connection: keep-alive")}hello`,
  chunkedPost("5;a=b\r\nhello\r\n1\r\n!\r\n0\r\nX-T: 1\r\n\r\n"),
  "GET http://a/b?c=d HTTP/1.1\r\nHost: a\r\nAuthorization: Bearer x\r\n\r\n",
  "GET / HTTP/1.0\r\nConnection: close\r\n\r\n",
];

const PIECES: readonly string[] = [
  ...'\r\n\t\0 :;,=+-_#?/\\"a0xA\x7f\x80\xff',
  "\r\n",
  "\n\n",
  "\r\n ",
  "0",
  "00",
  "0x",
  "chunked",
  "Transfer-Encoding: chunked\r\n",
  "Content-Length: 5\r\n",
  "Host: b\r\n",
  "HTTP/1.1",
  "%00",
];

function mutateOnce(text: string, random: () => number): string {
  const pick = (size: number): number => Math.floor(random() * size);
  const at = pick(text.length + 1);
  const piece = PIECES[pick(PIECES.length)]!;
  switch (pick(4)) {
    case 0:
      return text.slice(0, at) + piece + text.slice(at);
    case 1:
      return text.slice(0, at) + text.slice(at + 1 + pick(3));
    case 2:
      return text.slice(0, at) + piece + text.slice(at + 1);
    default: {
      const from = pick(text.length);
      return text.slice(0, at) + text.slice(from, from + pick(12)) + text.slice(at);
    }
  }
}

export function* mutatedRequests(count: number, seed: number): Generator<string> {
  const random = randomOf(seed);
  for (let i = 0; i < count; i++) {
    let text = SEEDS[i % SEEDS.length]!;
    for (let rounds = 1 + Math.floor(random() * 3); rounds > 0; rounds--) {
      text = mutateOnce(text, random);
    }
    yield text;
  }
}

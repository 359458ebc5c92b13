/** Clients cannot pile up pages in the main thread, not even by leaving. */
import { expect, test } from "vitest";
import { pagesAtOnceMax } from "../../../src/limits.ts";
import type { PageResponse } from "../../../src/proxy/request/page-service.ts";
import { RemotePages } from "../../../src/proxy/worker/remote-pages.ts";

const request = {
  page: "metrics",
  method: "GET",
  uri: "/m",
  path: "/m",
  contentType: "",
  body: new Uint8Array(),
  timeoutMs: 1_000,
} as const;
const response: PageResponse = { status: 200, contentType: "text/plain", body: "page" };

test("what clients have left counts until the main thread has responded", () => {
  const asked: number[] = [];
  const pages = new RemotePages(({ id }) => void asked.push(id));
  const got: (PageResponse | undefined)[] = [];
  for (let i = 0; i < pagesAtOnceMax; i += 1) pages.ask(request, (one) => void got.push(one))();
  pages.ask(request, (one) => void got.push(one));
  expect(got).toEqual([undefined]);
  expect(asked).toHaveLength(pagesAtOnceMax);

  pages.receive({ type: "page", id: asked[0]!, response });
  pages.ask(request, (one) => void got.push(one));
  pages.receive({ type: "page", id: asked.at(-1)!, response });
  expect(got).toEqual([undefined, response]);
});

test("a response that nobody waits for any more is dropped", () => {
  const pages = new RemotePages(() => {});
  expect(() => pages.receive({ type: "page", id: 7, response })).not.toThrow();
});

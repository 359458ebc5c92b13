/** A client that waits for a page of the main thread gets it, or an error in time, and once. */
import { expect, test } from "vitest";
import { type Outcome, outcomes } from "../../../src/proxy/context/outcomes.ts";
import { MainPage } from "../../../src/proxy/request/main-page.ts";
import type { PageRequest, PageResponse } from "../../../src/proxy/request/page-service.ts";
import type { ClientResponse } from "../../../src/proxy/response/client-response.ts";
import { Deadlines } from "../../../src/transport/deadlines.ts";
import { contextOf, request } from "../routing/contexts.ts";

const page: PageResponse = { status: 405, contentType: "text/plain", body: "no", allow: "GET" };

function asking() {
  const deadlines = new Deadlines(0);
  const ends: Outcome[] = [];
  const replies: { status: number; lines: string; body: string }[] = [];
  const asked: PageRequest[] = [];
  let respond: (response: PageResponse | undefined) => void = () => {};
  let cancelled = 0;
  const local = (status: number, _: string, lines: string, body: Buffer) =>
    void replies.push({ status, lines, body: body.toString() });
  const context = contextOf(request("/sleep?level=1"));
  context.body = Buffer.from("a body in a larger buffer").subarray(2, 6);
  const main = new MainPage(
    {
      context,
      response: { local } as unknown as ClientResponse,
      worker: {
        deadlines,
        pages: {
          ask(one, done) {
            asked.push(one);
            respond = done;
            return () => {
              cancelled += 1;
            };
          },
        },
      },
      ended: (outcome) => void ends.push(outcome),
    },
    "omni_broadcast",
    5_000,
  );
  return { deadlines, ends, replies, asked, main, respond, cancelled: () => cancelled };
}

test("the page is the response, with the methods that it allows", () => {
  const { ends, replies, respond, asked } = asking();
  expect(asked[0]).toMatchObject({ uri: "/sleep?level=1", path: "/sleep", timeoutMs: 5_000 });
  // To another thread goes the body alone, not all of the memory that it lies in.
  expect(asked[0]!.body.buffer.byteLength).toBe(4);
  respond(page);
  expect(ends).toEqual([outcomes.returned]);
  expect(replies).toMatchObject([{ status: 405, body: "no" }]);
  expect(replies[0]!.lines).toContain("Allow: GET\r\n");
});

test("a main thread that does not respond in time is an error, and its late page is dropped", () => {
  const { deadlines, ends, replies, respond, cancelled } = asking();
  // A longer gap would be time in which the worker itself did not run.
  for (let nowMs = 100; nowMs <= 4_900; nowMs += 100) deadlines.tick(nowMs);
  expect(ends).toEqual([]);
  for (let nowMs = 5_000; nowMs <= 5_300; nowMs += 100) deadlines.tick(nowMs);
  expect(ends).toEqual([outcomes.noPage]);
  expect(cancelled()).toBe(1);
  respond(page);
  expect(ends).toHaveLength(1);
  expect(replies).toEqual([]);
});

test("a client that leaves gets nothing, and no deadline stays", () => {
  const { deadlines, ends, main, respond, cancelled } = asking();
  main.cancel();
  for (let nowMs = 100; nowMs <= 9_000; nowMs += 100) deadlines.tick(nowMs);
  respond(page);
  expect(ends).toEqual([]);
  expect(cancelled()).toBe(1);
});

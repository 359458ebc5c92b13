// Node's parser takes all that ours takes and reads it the same; where it alone accepts, the reason is known.

import { METHODS } from "node:http";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { fieldPairs, readRequest } from "./messages.ts";
import { mutatedRequests } from "./mutations.ts";
import { NodePeer, type NodeReading } from "./node-peer.ts";
import { ACCEPTED } from "./vectors/accepted.ts";
import { REFUSED } from "./vectors/refused.ts";

const peer = new NodePeer();
beforeAll(() => peer.listen());
afterAll(() => peer.close());

/** Bun has another parser. */
const onNode = process.versions["bun"] === undefined;
/** The parser that the vectors' `nodeAccepts` was taken from; a later one may have closed some of its gaps. */
const isListedParser = process.versions["llhttp"] === "9.3.1";

/** Ours of the same request; the target as Node shows it, which is how it was sent. */
function ourReading(text: string): NodeReading | undefined {
  const reading = readRequest(text);
  if (reading.kind !== "message") return undefined;
  const { head, body } = reading;
  const url = head.fields.text.trimStart().split(" ")[1]!;
  return { method: head.method, url, fields: fieldPairs(head.fields), body };
}

describe.runIf(onNode)("Node reads as ours does a request with", () => {
  it.each(ACCEPTED.filter((vector) => vector.notInNode === undefined))(
    "$what",
    async ({ text }) => {
      const ours = ourReading(text);
      expect(ours).toBeDefined();
      expect(await peer.read(text)).toEqual(ours);
    },
  );
});

describe.runIf(onNode)("of what ours refuses, Node accepts only what is listed:", () => {
  it.each(REFUSED)("$hazard", async ({ text, nodeAccepts }) => {
    const accepted = (await peer.read(text)) !== undefined;
    const listed = nodeAccepts !== undefined;
    if (accepted || isListedParser) expect(accepted).toBe(listed);
  });
});

it.runIf(onNode)("reads mutated requests as Node does, or refuses them", async () => {
  let compared = 0;
  for (const text of mutatedRequests(2_000, 0x5eed)) {
    const ours = ourReading(text);
    if (ours === undefined || !METHODS.includes(ours.method) || compared >= 250) continue;
    // Node wants these encoded.
    if (/[\x80-\xff]/.test(ours.url)) continue;
    compared++;
    expect(await peer.read(text), JSON.stringify(text)).toEqual(ours);
  }
  expect(compared).toBeGreaterThan(50);
});

/** What operators see of a request is true of the request, not of the moment at which its body was there. */
import { expect, test } from "vitest";
import type { RequestContext } from "../../../src/proxy/context/request-context.ts";
import { Explanations } from "../../../src/proxy/worker/explanations.ts";

test("a request came when its head came, however long its body took", () => {
  const explanations = new Explanations({ nowMs: () => 61_000, wallMs: () => 1_060_000 });
  explanations.resize(1);
  const context = { requestId: "slow", path: "/", startMs: 1_000 } as unknown as RequestContext;
  explanations.start(context, undefined);
  expect(explanations.find("slow")?.record().at).toBe(new Date(1_000_000).toISOString());
});

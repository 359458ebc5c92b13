/** A client that does not read is noticed on each runtime, and one that reads late gets all of it. */
import { execFileSync } from "node:child_process";
import { fileURLToPath } from "node:url";
import { expect, test } from "vitest";
import { executableOf, runtimes } from "../../support/runtimes.ts";
import { type Noticed, unreadResponse } from "./fake/unread-response.ts";

const cases = runtimes.filter((name) => name === "bun" || name === "node");

test.each(cases)("what is not read waits, on %s", async (runtime) => {
  const script = fileURLToPath(new URL("fake/unread-response.ts", import.meta.url));
  const noticed =
    runtime === "bun"
      ? (JSON.parse(execFileSync(executableOf("bun"), [script], { encoding: "utf8" })) as Noticed)
      : await unreadResponse();
  expect(noticed).toMatchObject({ unread: 1, unreadAtEnd: 0 });
  expect(noticed.pendingBytes).toBeGreaterThan(8_388_608);
  expect(noticed.receivedBytes).toBeGreaterThan(24 * 1_048_576);
});

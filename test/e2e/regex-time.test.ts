/** A client must not block a worker for minutes by a path that an operator's regular expression takes long for. */
import { afterAll, describe, expect, test } from "vitest";
import { ask } from "../support/http-client.ts";
import { runtimes } from "../support/runtimes.ts";
import { Stack } from "../support/stack.ts";

describe.each(runtimes)("on %s", (runtime) => {
  const stack = new Stack(runtime);
  afterAll(() => stack.end());

  test("a path for which a location would try 2^60 ways is routed", async () => {
    const { url } = await stack.serve(
      (port) => `
workers: 1
servers:
  - listen: [{ host: 127.0.0.1, port: ${port} }]
    routes:
      - { match: { path: "^/(a+)+$", kind: regex }, steps: [{ return: { status: 201 } }] }
      - { match: { path: / }, steps: [{ return: { status: 202 } }] }
`,
    );
    expect((await ask(`${url}/aaa`)).status).toBe(201);
    expect((await ask(`${url}/${"a".repeat(60)}-`)).status).toBe(202);
  });
});

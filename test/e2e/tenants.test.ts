/** Keys, tokens and limits of a real proxy: as OpenAI's client meets them, over all workers, while files change. */
import { appendFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { exportJWK, generateKeyPair, SignJWT } from "jose";
import OpenAI, { APIError } from "openai";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { runCommand } from "../support/command.ts";
import { eventually } from "../support/eventually.ts";
import { bunAndOneNode, sharesPorts } from "../support/runtimes.ts";
import { type Engine, instant, type ServingProxy, Stack } from "../support/stack.ts";
import { patienceMs } from "../support/times.ts";

const model = "simulated";
/** Of requests in a minute. */
const limit = 20;

/** A key, and its line for the file, as the command makes them. */
function makeKey(tenant: string): { readonly key: string; readonly line: string } {
  const { stdout, stderr } = runCommand(["key", tenant, "of a test"]);
  return { line: stdout, key: stderr.split("\n")[0]! };
}

describe.each(bunAndOneNode("tenants"))("on %s", (runtime) => {
  const stack = new Stack(runtime);
  const acme = makeKey("acme");
  const later = makeKey("free");
  const startedMs = performance.now();
  let engine: Engine;
  let proxy: ServingProxy;
  let keys: string;
  let token: (claims: object, expires: string) => Promise<string>;

  beforeAll(async () => {
    const asked = ["--api-key", "key-of-the-engine"];
    [engine] = (await stack.startEngines("mixed", 1, [...instant, ...asked])) as [Engine];
    keys = stack.write("keys.txt", acme.line);
    const { publicKey, privateKey } = await generateKeyPair("ES256");
    const jwks = stack.write("jwks.json", JSON.stringify({ keys: [await exportJWK(publicKey)] }));
    token = (claims, expires) =>
      new SignJWT({ ...claims })
        .setProtectedHeader({ alg: "ES256" })
        .setIssuer("test")
        .setExpirationTime(expires)
        .sign(privateKey);
    const engineKey = stack.write("engine-key", "key-of-the-engine\n");
    proxy = await stack.serve(
      (port) => `
workers: ${sharesPorts(runtime) ? 2 : 1}
errorLog: { level: notice }
auth: { keyFile: ${keys}, jwt: { jwksFile: ${jwks}, issuer: test, tenantClaim: org.name } }
tenants:
  acme: { requestsPerMinute: ${limit}, models: [simulated] }
  free: { tokensPerMinute: 1000000 }
pools:
  all:
    engines: [{ url: "${engine.url}" }]
    apiKey: { file: ${engineKey} }
    healthCheck: { inference: true, intervalMs: 100, unhealthyThreshold: 1 }
servers:
  - listen: [{ host: 127.0.0.1, port: ${port} }]
    routes: [{ match: { path: / }, target: { pool: all } }]
`,
    );
  });
  afterAll(() => stack.end());

  const ask = (apiKey: string, name = model) =>
    new OpenAI({
      apiKey,
      baseURL: `${proxy.url}/v1`,
      maxRetries: 0,
      timeout: patienceMs,
    }).completions
      .create({ model: name, prompt: "p", max_tokens: 3 })
      .withResponse();
  const failure = async (...args: Parameters<typeof ask>): Promise<APIError> => {
    const error = await ask(...args).catch((one: unknown) => one);
    if (error instanceof APIError) return error;
    throw new Error("it did not fail");
  };

  test("OpenAI's client gets the errors that it knows", async () => {
    expect(await failure("sk-wrong")).toMatchObject({ status: 401, code: "GP_UNAUTHORIZED" });
    expect(await failure(acme.key, "another")).toMatchObject({
      status: 403,
      code: "GP_MODEL_FORBIDDEN",
    });
  });

  test("a token counts as its tenant's, also when it is verified for the first time", async () => {
    const good = await token({ org: { name: "free" } }, "1h");
    for (const time of [1, 2]) {
      const { response } = await ask(good);
      expect(response.headers.get("x-ratelimit-limit-tokens"), `time ${time}`).toBe("1000000");
    }
    const refused = [token({ org: { name: "free" } }, "-1h"), token({ org: {} }, "1h")];
    for (const bad of refused) expect((await failure(await bad)).status).toBe(401);
    expect((await failure(await token({ org: { name: "none" } }, "1h"))).status).toBe(403);
  });

  test("engines get their own key, also of the proxy's own questions, and none of a client's", async () => {
    const ofProxy = '"prompt":"1"';
    await eventually(async () =>
      (await engine.requests()).some(({ body }) => body.includes(ofProxy)),
    );
    const seen = (await engine.requests()).filter(({ path }) => path.startsWith("/v1"));
    for (const { rawHeaders } of seen) expect(rawHeaders).toContain("Bearer key-of-the-engine");
    expect(JSON.stringify(seen)).not.toMatch(/sk-gp-|eyJ/);
  });

  test("a key that is added counts soon, and an error in the file changes nothing", async () => {
    expect((await failure(later.key)).status).toBe(401);
    appendFileSync(keys, later.line);
    await eventually(async () => (await ask(later.key).catch(() => undefined)) !== undefined);
    writeFileSync(join(stack.folder, "keys.txt"), `${later.key} free\n`);
    await eventually(() => proxy.command.stderr.includes("stays in force"));
    expect(proxy.command.stderr).not.toContain(later.key);
    expect((await ask(later.key)).response.status).toBe(200);
  });

  test("workers share a limit exactly", async () => {
    const all = await Promise.allSettled(Array.from({ length: 3 * limit }, () => ask(acme.key)));
    const good = all.filter(({ status }) => status === "fulfilled").length;
    const errors = all.flatMap((one) =>
      one.status === "rejected" ? [one.reason as APIError] : [],
    );
    expect(new Set(errors.map(({ code }) => code))).toEqual(new Set(["GP_REQUEST_LIMIT"]));
    expect(Number(errors[0]!.headers?.get("retry-after"))).toBeGreaterThan(0);
    // One was used before, and some may have been refilled since.
    expect(good).toBeGreaterThanOrEqual(limit - 1);
    const refilled = Math.ceil(((performance.now() - startedMs) / 60_000) * limit);
    expect(good).toBeLessThanOrEqual(limit - 1 + refilled);
  });
});

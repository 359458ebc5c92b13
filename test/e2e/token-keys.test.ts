/** Tokens of an issuer whose keys have an address: also right after it has changed them, and while it is down. */
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { exportJWK, generateKeyPair, type JWK, SignJWT } from "jose";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { eventually } from "../support/eventually.ts";
import { ask } from "../support/http-client.ts";
import { bunAndOneNode, sharesPorts } from "../support/runtimes.ts";
import { Stack } from "../support/stack.ts";

describe.each(bunAndOneNode("token-keys"))("on %s", (runtime) => {
  const stack = new Stack(runtime);
  let published: JWK[] = [];
  const issuer = createServer((_, response) => response.end(JSON.stringify({ keys: published })));
  let url: string;
  beforeAll(async () => {
    await new Promise<void>((resolve) => issuer.listen(0, "127.0.0.1", resolve));
  });
  afterAll(async () => {
    issuer.close();
    await stack.end();
  });

  async function newKey(kid: string) {
    const { publicKey, privateKey } = await generateKeyPair("RS256");
    const token = () =>
      new SignJWT({ tenant: "acme" })
        .setProtectedHeader({ alg: "RS256", kid })
        .setExpirationTime("1h")
        .sign(privateKey);
    return { jwk: { ...(await exportJWK(publicKey)), kid }, token };
  }
  const statusOf = async (token: string) =>
    (await ask(`${url}/`, { headers: { authorization: `Bearer ${token}` } })).status;

  test("a key that is new is known with the first token, and old ones stay without the issuer", async () => {
    const first = await newKey("1");
    published = [first.jwk];
    const { port } = issuer.address() as AddressInfo;
    const [engine] = await stack.startEngines("mixed", 1);
    const proxy = await stack.serve(
      (listen) => `
workers: ${sharesPorts(runtime) ? 2 : 1}
auth: { jwt: { jwksUrl: "http://127.0.0.1:${port}/keys" } }
tenants: { acme: {} }
pools: { all: { engines: [{ url: "${engine!.url}" }] } }
servers:
  - listen: [{ host: 127.0.0.1, port: ${listen} }]
    routes: [{ match: { path: / }, target: { pool: all, uri: /v1/models } }]
`,
    );
    url = proxy.url;
    await eventually(async () => (await statusOf(await first.token())) === 200);
    const second = await newKey("2");
    published = [second.jwk];
    expect(await statusOf(await second.token())).toBe(200);
    const forged = await newKey("3");
    expect(await statusOf(await forged.token())).toBe(401);
    issuer.closeAllConnections();
    issuer.close();
    expect(await statusOf(await second.token())).toBe(200);
    expect(await statusOf(await first.token())).toBe(401);
  });
});

/** A token that is accepted and should not be opens the proxy; one that is verified each time slows all requests. */
import { exportJWK, generateKeyPair, type JWTPayload, SignJWT } from "jose";
import { beforeAll, describe, expect, test } from "vitest";
import type { JwtConfig } from "../../../../src/config/schema/tenants.ts";
import { verifiedTokenMsMax } from "../../../../src/limits.ts";
import type { TokenKeys } from "../../../../src/proxy/admission/tenants/credentials.ts";
import { TokenVerifier } from "../../../../src/proxy/admission/tenants/token-verifier.ts";
import { systemClock } from "../../../../src/transport/clock.ts";

const startMs = 1_800_000_000_000;
const startSeconds = startMs / 1_000;
const secret = "a secret that is shared with the issuer";
const config: JwtConfig = { tenantClaim: "tenant" };

let pairs: Awaited<ReturnType<typeof generateKeyPair>>[];
let jwks: TokenKeys;

beforeAll(async () => {
  pairs = await Promise.all([1, 2].map(() => generateKeyPair("ES256", { extractable: true })));
  jwks = { jwks: { keys: await Promise.all(pairs.map(({ publicKey }) => exportJWK(publicKey))) } };
});

function verifier(keys: TokenKeys, more: Partial<JwtConfig> = {}) {
  const clock = { ...systemClock, wallMs: () => now.ms };
  const now = { ms: startMs };
  return { now, verifier: new TokenVerifier({ ...config, ...more }, keys, clock) };
}

const signed = (payload: JWTPayload, key = 0) =>
  new SignJWT({ exp: farSeconds, ...payload })
    .setProtectedHeader({ alg: "ES256" })
    .sign(pairs[key]!.privateKey);
const hashed = (payload: JWTPayload, with_: string) =>
  new SignJWT({ exp: farSeconds, ...payload })
    .setProtectedHeader({ alg: "HS256" })
    .sign(new TextEncoder().encode(with_));

const farSeconds = startSeconds + 86_400;
const soon = { exp: startSeconds + 60 };

test("any key of the set may have signed, also where tokens do not say which", async () => {
  for (const key of [0, 1]) {
    const one = verifier(jwks).verifier;
    expect(await one.verify(await signed({ tenant: "a", ...soon }, key))).toEqual({ tenant: "a" });
  }
});

test("a token that names its key is verified by keys without names, such as one in PEM", async () => {
  const one = verifier(jwks).verifier;
  for (const key of [0, 1]) {
    const named = new SignJWT({ tenant: "a", ...soon }).setProtectedHeader({
      alg: "ES256",
      kid: "x",
    });
    expect(await one.verify(await named.sign(pairs[key]!.privateKey))).toEqual({ tenant: "a" });
  }
  const [first] = "jwks" in jwks ? jwks.jwks.keys : [];
  const other = verifier({ jwks: { keys: [{ ...first, kid: "y" }] } }).verifier;
  const named = new SignJWT({ tenant: "a", ...soon }).setProtectedHeader({
    alg: "ES256",
    kid: "x",
  });
  expect(await other.verify(await named.sign(pairs[0]!.privateKey))).toHaveProperty("isKeyUnknown");
});

test("a shared secret verifies, and another one does not", async () => {
  const one = verifier({ secret }).verifier;
  expect(await one.verify(await hashed({ tenant: "a" }, secret))).toEqual({ tenant: "a" });
  expect(await one.verify(await hashed({ tenant: "a" }, secret.toUpperCase()))).toHaveProperty(
    "problem",
  );
});

describe("is refused:", () => {
  const cases: Record<string, () => Promise<string>> = {
    "a key that the issuer does not have": async () => {
      const { privateKey } = await generateKeyPair("ES256");
      const token = new SignJWT({ tenant: "a" }).setProtectedHeader({ alg: "ES256" });
      return token.sign(privateKey);
    },
    "a public key as a secret": () =>
      hashed({ tenant: "a" }, JSON.stringify("jwks" in jwks && jwks.jwks.keys[0])),
    "no signature": async () => {
      const [, payload] = (await signed({ tenant: "a" })).split(".");
      return `${Buffer.from('{"alg":"none"}').toString("base64url")}.${payload}.`;
    },
    "another payload than was signed": async () => {
      const [head, , signature] = (await signed({ tenant: "a" })).split(".");
      return `${head}.${Buffer.from('{"tenant":"b"}').toString("base64url")}.${signature}`;
    },
    "one that is not valid yet": () => signed({ tenant: "a", nbf: startSeconds + 60 }),
    "one that never expires": () => signed({ tenant: "a", exp: undefined } as never),
    "one that has expired": () => signed({ tenant: "a", exp: startSeconds - 60 }),
    "one without a tenant": () => signed({ ...soon }),
    "one whose tenant is no text": () => signed({ tenant: ["a"] }),
    "one that is too long": () => signed({ tenant: "a", more: "x".repeat(20_000) }),
  };
  test.each(Object.keys(cases))("%s", async (name) => {
    const one = verifier(jwks).verifier;
    const token = await cases[name]!();
    expect(await one.verify(token)).toMatchObject({ problem: expect.any(String) });
    expect(one.known(token)).toBeUndefined();
  });

  test("another issuer and another audience than the operator's", async () => {
    const one = verifier(jwks, { issuer: "us", audience: "here" }).verifier;
    const claims = { tenant: "a", iss: "us", aud: ["there", "here"] };
    expect(await one.verify(await signed(claims))).toEqual({ tenant: "a" });
    for (const wrong of [{ iss: "them" }, { aud: "there" }, { iss: undefined }]) {
      const payload = JSON.parse(JSON.stringify({ ...claims, ...wrong })) as JWTPayload;
      expect(await one.verify(await signed(payload))).toHaveProperty("problem");
    }
  });
});

test("it is verified once, and again when it has expired or enough time is over", async () => {
  const { now, verifier: one } = verifier(jwks);
  const short = await signed({ tenant: "a", ...soon });
  const long = await signed({ tenant: "b" });
  expect(one.known(short)).toBeUndefined();
  await one.verify(short);
  await one.verify(long);
  expect([one.known(short), one.known(long)]).toEqual(["a", "b"]);
  now.ms += 60_000;
  expect([one.known(short), one.known(long)]).toEqual([undefined, "b"]);
  now.ms = startMs + verifiedTokenMsMax;
  expect(one.known(long)).toBeUndefined();
});

test("the claim may lie within another, or have dots in its name", async () => {
  const read = async (payload: JWTPayload, tenantClaim: string) =>
    verifier(jwks, { tenantClaim }).verifier.verify(await signed(payload));
  expect(await read({ org: { name: "a" } }, "org.name")).toEqual({ tenant: "a" });
  expect(await read({ "https://x.example/tenant": "b" }, "https://x.example/tenant")).toEqual({
    tenant: "b",
  });
  expect(await read({ org: "a" }, "org.name")).toHaveProperty("problem");
  expect(await read({}, "constructor.name")).toHaveProperty("problem");
});

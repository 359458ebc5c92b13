/**
 * Verifies JSON Web Tokens by the library `jose`, which is loaded with the first token. A verified token is remembered
 * by its hash, so that the next request with it does not wait.
 */
import { createHash } from "node:crypto";
import type { FlattenedJWSInput, JWTHeaderParameters } from "jose";
import type { JwtConfig } from "../../../config/schema/tenants.ts";
import {
  jwtBytesMax,
  tokenClockSkewSeconds,
  verifiedTokenMsMax,
  verifiedTokensMax,
} from "../../../limits.ts";
import type { Clock } from "../../../transport/clock.ts";
import type { TokenKeys } from "./credentials.ts";

/** What a token says: its tenant, or why it is not accepted, for the client. */
export type TokenResult =
  | { readonly tenant: string }
  | { readonly problem: string; readonly isKeyUnknown?: true };

interface Verified {
  readonly tenant: string;
  readonly untilMs: number;
}

type Jose = typeof import("jose");

/** With a secret only these; without one, never these: a public key must not pass for a secret. */
const secretAlgorithms = ["HS256", "HS384", "HS512"];
const publicAlgorithms = [
  ...["RS256", "RS384", "RS512", "PS256", "PS384", "PS512"],
  ...["ES256", "ES384", "ES512", "EdDSA", "Ed25519"],
];

const invalid: TokenResult = { problem: "The token is not valid." };
const keyUnknown: TokenResult = {
  problem: "The token is signed with a key that its issuer does not publish.",
  isKeyUnknown: true,
};
const expired: TokenResult = { problem: "The token has expired." };

export class TokenVerifier {
  readonly #config: JwtConfig;
  readonly #keys: TokenKeys;
  readonly #clock: Clock;
  /** By the hash, the ones that were verified first in front. */
  readonly #verified = new Map<string, Verified>();

  constructor(config: JwtConfig, keys: TokenKeys, clock: Clock) {
    this.#config = config;
    this.#keys = keys;
    this.#clock = clock;
  }

  /** Whether a credential has the form of a token: three parts, of which the first is a JSON object in base64. */
  static looksLike(credential: string): boolean {
    return /^eyJ[\w-]*\.[\w-]+\.[\w-]*$/.test(credential);
  }

  /** The tenant of a token that was verified lately; undefined = it has to be verified. */
  known(token: string): string | undefined {
    const verified = this.#verified.get(hashOf(token));
    return verified && verified.untilMs > this.#clock.wallMs() ? verified.tenant : undefined;
  }

  async verify(token: string): Promise<TokenResult> {
    if (token.length > jwtBytesMax) return invalid;
    const jose = await import("jose");
    const { issuer, audience, tenantClaim } = this.#config;
    const nowMs = this.#clock.wallMs();
    const options = {
      ...(issuer !== undefined && { issuer }),
      ...(audience !== undefined && { audience }),
      algorithms: "secret" in this.#keys ? secretAlgorithms : publicAlgorithms,
      // Without it a token that leaks is good for ever.
      requiredClaims: ["exp"],
      clockTolerance: tokenClockSkewSeconds,
      currentDate: new Date(nowMs),
    };
    try {
      const payload = await this.#payload(jose, token, options);
      const tenant = claimOf(payload, tenantClaim);
      if (tenant === undefined) return { problem: `The token has no claim "${tenantClaim}".` };
      const endMs = (payload.exp ?? Number.POSITIVE_INFINITY) * 1_000;
      this.#remember(token, { tenant, untilMs: Math.min(endMs, nowMs + verifiedTokenMsMax) });
      return { tenant };
    } catch (error) {
      if (isKeyUnknown(jose, token, error)) return keyUnknown;
      return error instanceof jose.errors.JWTExpired ? expired : invalid;
    }
  }

  async #payload(jose: Jose, token: string, options: import("jose").JWTVerifyOptions) {
    if ("secret" in this.#keys) {
      const secret = new TextEncoder().encode(this.#keys.secret);
      return (await jose.jwtVerify(token, secret, options)).payload;
    }
    const keySet = keySetOf(jose, this.#keys.jwks.keys);
    try {
      return (await jose.jwtVerify(token, keySet, options)).payload;
    } catch (error) {
      if (!(error instanceof jose.errors.JWKSMultipleMatchingKeys)) throw error;
      // The token does not say which of the keys it is signed with.
      for await (const key of error) {
        try {
          return (await jose.jwtVerify(token, key, options)).payload;
        } catch (failure) {
          if (!(failure instanceof jose.errors.JWSSignatureVerificationFailed)) throw failure;
        }
      }
      throw error;
    }
  }

  #remember(token: string, verified: Verified): void {
    if (this.#verified.size >= verifiedTokensMax) {
      const [oldest] = this.#verified.keys();
      this.#verified.delete(oldest!);
    }
    this.#verified.set(hashOf(token), verified);
  }
}

/** A set without names, such as one key in PEM, is for tokens of any key's name. */
function keySetOf(jose: Jose, keys: readonly Readonly<Record<string, unknown>>[]) {
  const keySet = jose.createLocalJWKSet({ keys: [...keys] });
  if (keys.some(({ kid }) => kid !== undefined)) return keySet;
  const resolve = (header: JWTHeaderParameters | undefined, token: FlattenedJWSInput) => {
    const { kid: _, ...unnamed } = header!;
    return keySet(unnamed, token);
  };
  return Object.assign(resolve, { jwks: keySet.jwks });
}

/** Whether the token may be signed with a key that has come since: with none of those that it may mean. */
function isKeyUnknown({ errors, decodeProtectedHeader }: Jose, token: string, error: unknown) {
  if (error instanceof errors.JWKSNoMatchingKey) return true;
  const isOther =
    error instanceof errors.JWKSMultipleMatchingKeys ||
    error instanceof errors.JWSSignatureVerificationFailed;
  return isOther && decodeProtectedHeader(token).kid === undefined;
}

function hashOf(token: string): string {
  return createHash("sha256").update(token, "latin1").digest("base64");
}

/** @param path names with dots between; a claim whose name has dots itself goes before */
function claimOf(payload: Readonly<Record<string, unknown>>, path: string): string | undefined {
  let value: unknown = payload[path];
  if (value === undefined) {
    value = payload;
    for (const name of path.split(".")) {
      if (typeof value !== "object" || value === null || !Object.hasOwn(value, name))
        return undefined;
      value = (value as Record<string, unknown>)[name];
    }
  }
  return typeof value === "string" && value !== "" ? value : undefined;
}

/** Who may send requests, and how many: keys, tenants and their limits. */
import { z } from "zod";
import { withDetails } from "./describe.ts";
import { secretSource } from "./operators.ts";
import { text } from "./values.ts";

const perMinute = z.int().min(1).max(1_000_000_000).optional();

export const tenantSchema = z
  .strictObject({
    requestsPerMinute: perMinute.describe(
      withDetails(
        "Requests that change or generate something (all but GET, HEAD and OPTIONS). Further ones get 429.",
        "A whole minute's may come at once; then they are refilled evenly.",
      ),
    ),
    tokensPerMinute: perMinute.describe(
      withDetails(
        "Tokens of prompts and responses together. Further requests get 429.",
        "A request is charged by an estimate before it goes to an engine, and the rest when the engine has counted",
        "(`docs/tenants.md`).",
      ),
    ),
    inFlightMax: z
      .int()
      .min(1)
      .max(1_000_000)
      .optional()
      .describe("Requests at a time, those that wait in a queue included. Further ones get 429."),
    priority: z
      .int()
      .min(-100)
      .max(100)
      .optional()
      .describe(
        "In queues, in place of what the pool's `queue.priority` says. Lower goes earlier.",
      ),
    weight: z
      .number()
      .min(0.01)
      .max(100)
      .default(1)
      .describe("Share of the engines that it gets in queues, as a multiple of the others'."),
    models: z
      .array(text)
      .min(1)
      .max(1_000)
      .optional()
      .describe(
        withDetails(
          "Models that it may name; `*` at the end stands for any rest. Others get 403. Without a list: all.",
          "A request whose body names no model gets 403, too.",
        ),
      ),
  })
  .describe("What a tenant may use. Limits that are missing are none.");

const jwtSchema = z
  .strictObject({
    jwksUrl: text
      .optional()
      .describe(
        withDetails(
          "Where the issuer has its public keys, a JSON Web Key Set: `jwks_uri` of OpenID Connect.",
          "They are fetched again by its `max-age`, and when a token names a key that is not known.",
        ),
      ),
    jwksFile: text.optional().describe("File with the issuer's public keys, a JSON Web Key Set."),
    publicKeyFile: text.optional().describe("File with one public key, in PEM."),
    secret: secretSource
      .optional()
      .describe("Secret that is shared with the issuer (HS256 and the like)."),
    issuer: text.optional().describe("What `iss` must be."),
    audience: text.optional().describe("What `aud` must be or contain."),
    tenantClaim: text
      .default("tenant")
      .describe("The claim that names the tenant; with dots, one within another: `realm.tenant`."),
  })
  .describe(
    "JSON Web Tokens as `Authorization: Bearer TOKEN`, with keys of one of the four kinds.",
  );

const tenantHeaderSchema = z
  .strictObject({
    name: text.describe("Of the header, such as `X-Tenant`."),
    from: z
      .array(text)
      .min(1)
      .max(256)
      .describe("Addresses that may set it: `10.0.0.5`, `10.0.0.0/8`, `fd00::/8`, or `unix`."),
  })
  .describe(
    withDetails(
      "A header in which a trusted proxy in front names the tenant.",
      "It is ignored from any other address. The proxy in front has to remove what clients send.",
    ),
  );

export const authSchema = z
  .strictObject({
    keyFile: text
      .optional()
      .describe(
        withDetails(
          "File with the hashes of API keys, as `global-proxy key` writes them.",
          "It is read again when it has changed.",
        ),
      ),
    tenantHeader: tenantHeaderSchema.optional(),
    jwt: jwtSchema.optional(),
    anonymous: text
      .optional()
      .describe("The tenant of requests without a key. Without it they get 401."),
    unlisted: text
      .optional()
      .describe(
        withDetails(
          "The tenant whose limits those have that `tenants` does not list, each for itself.",
          "They come from `tenantHeader` and `jwt`. Without it they get 403.",
        ),
      ),
    forwardKeys: z
      .boolean()
      .default(false)
      .describe(
        "Pass the client's key on to engines. If off, `Authorization`, `X-Api-Key` and `Api-Key` are removed.",
      ),
  })
  .describe(
    "Who may send requests (`docs/tenants.md`). Without it all may, and keys go on to engines.",
  );

export type TenantConfig = z.output<typeof tenantSchema>;
export type AuthConfig = z.output<typeof authSchema>;
export type JwtConfig = z.output<typeof jwtSchema>;

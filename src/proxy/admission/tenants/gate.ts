/** Tells whose a request is: by its key, its token, or the header of a trusted proxy in front. */
import type { Config } from "../../../config/schema/schema.ts";
import type { AuthConfig, TenantConfig } from "../../../config/schema/tenants.ts";
import { isTenantName } from "../../../config/values/key-file.ts";
import { type TrustedPeers, trustedPeers } from "../../../config/values/trusted-peers.ts";
import { OutputTokens } from "../../../estimates/output-tokens.ts";
import { TokenRatio } from "../../../estimates/token-ratio.ts";
import type { HeaderFields } from "../../../http1/fields/header-fields.ts";
import { unlistedTenantsMax } from "../../../limits.ts";
import type { TenantCounts } from "../../../scoreboard/tenant-counts.ts";
import type { Clock } from "../../../transport/clock.ts";
import { type Outcome, outcomes } from "../../context/outcomes.ts";
import type { RequestContext } from "../../context/request-context.ts";
import { ApiKeys } from "./api-keys.ts";
import type { Credentials, TokenKeys } from "./credentials.ts";
import { Tenant } from "./tenant.ts";
import { type TokenResult, TokenVerifier } from "./token-verifier.ts";
import { TenantVisit, type VisitDeps } from "./visit.ts";

const noLimits: TenantConfig = { weight: 1 };

export interface GateDeps {
  readonly counts: TenantCounts;
  readonly clock: Clock;
  /** Asks the issuer of tokens for keys: true = it has, and `use` was called before if there are new ones. */
  readonly issuer: { ask(): Promise<boolean> } | undefined;
}

/** An issuer whose keys have not come yet. */
const noKeysYet: TokenKeys = { jwks: { keys: [] } };

export class TenantGate {
  readonly #auth: AuthConfig;
  readonly #clock: Clock;
  readonly #issuer: GateDeps["issuer"];
  readonly #deps: VisitDeps;
  readonly #listed: ReadonlyMap<string, Tenant>;
  /** The first ones in front. */
  readonly #unlisted = new Map<string, Tenant>();
  readonly #header: string;
  readonly #isTrusted: TrustedPeers | undefined;
  #keys = new ApiKeys([]);
  #tokens: TokenVerifier | undefined;

  constructor(auth: AuthConfig, tenants: Config["tenants"], { counts, clock, issuer }: GateDeps) {
    const { tenantHeader } = auth;
    this.#auth = auth;
    this.#clock = clock;
    this.#issuer = auth.jwt?.jwksUrl === undefined ? undefined : issuer;
    this.#listed = new Map(
      Object.entries(tenants).map(([name, limits]) => [name, new Tenant(name, limits)]),
    );
    this.#header = tenantHeader?.name.toLowerCase() ?? "";
    this.#isTrusted = tenantHeader && trustedPeers(tenantHeader.from);
    this.#deps = { counts, ratio: new TokenRatio(), output: new OutputTokens() };
  }

  /** Whenever they are read. */
  use({ keys, tokenKeys }: Credentials): void {
    const { jwt } = this.#auth;
    this.#keys = new ApiKeys(keys);
    const known = tokenKeys ?? (jwt?.jwksUrl === undefined ? undefined : noKeysYet);
    this.#tokens = jwt && known && new TokenVerifier(jwt, known, this.#clock);
  }

  /**
   * A request comes. It may go on reading its body while its token is verified.
   *
   * @param settled called once it is known whose it is, if that is not at once
   */
  enter(context: RequestContext, settled: () => void): TenantVisit {
    const visit = new TenantVisit(context, this.#deps);
    const credential = credentialOf(context.head.fields);
    const tokens = this.#tokens;
    if (tokens === undefined || !TokenVerifier.looksLike(credential)) {
      visit.identified(this.#identify(context, credential));
      return visit;
    }
    const known = tokens.known(credential);
    if (known !== undefined) visit.identified(this.#named(known));
    else {
      void this.#verify(tokens, credential).then((result) => {
        const isKnown = "tenant" in result;
        visit.identified(
          isKnown
            ? this.#named(result.tenant)
            : { ...outcomes.unauthorized, message: result.problem },
        );
        settled();
      });
    }
    return visit;
  }

  /** Once more if the issuer may have the key by now. */
  async #verify(tokens: TokenVerifier, token: string): Promise<TokenResult> {
    const result = await tokens.verify(token);
    if (!("isKeyUnknown" in result) || !(await this.#issuer?.ask())) return result;
    return (this.#tokens ?? tokens).verify(token);
  }

  #identify(context: RequestContext, credential: string): Tenant | Outcome {
    const { keyFile, jwt, anonymous } = this.#auth;
    if (credential !== "" && (keyFile ?? jwt) !== undefined) {
      const name = this.#keys.tenantOf(credential);
      // A wrong key is no reason to serve somebody as anonymous: they would not notice.
      return name === undefined ? outcomes.unauthorized : this.#known(name);
    }
    if (this.#isTrusted?.(context.connection.remoteAddress)) {
      const name = context.head.fields.get(this.#header) ?? "";
      if (name !== "") return this.#named(name);
    }
    if (anonymous !== undefined) return this.#known(anonymous);
    if ((keyFile ?? jwt) !== undefined) return outcomes.unauthorized;
    const message = "No trusted proxy in front has named the tenant of this request.";
    return { ...outcomes.unauthorized, message };
  }

  /** A tenant that the operator has named, in the key file or as `anonymous`. */
  #known(name: string): Tenant {
    return this.#listed.get(name) ?? this.#remembered(name, noLimits);
  }

  /** A tenant that a token or a header names. */
  #named(name: string): Tenant | Outcome {
    const listed = this.#listed.get(name);
    if (listed !== undefined) return listed;
    const { unlisted } = this.#auth;
    if (unlisted === undefined || !isTenantName(name)) return outcomes.unknownTenant;
    return this.#remembered(name, this.#listed.get(unlisted)?.limits ?? noLimits);
  }

  #remembered(name: string, limits: TenantConfig): Tenant {
    const known = this.#unlisted.get(name);
    if (known !== undefined) return known;
    if (this.#unlisted.size >= unlistedTenantsMax) {
      const [oldest] = this.#unlisted.keys();
      this.#unlisted.delete(oldest!);
    }
    const tenant = new Tenant(name, limits);
    this.#unlisted.set(name, tenant);
    return tenant;
  }
}

/** As OpenAI's clients, Anthropic's and Azure's send it; "" = there is none. */
function credentialOf(fields: HeaderFields): string {
  const authorization = fields.get("authorization");
  const [, bearer] = /^Bearer +(\S+)$/i.exec(authorization ?? "") ?? [];
  return bearer ?? fields.get("x-api-key") ?? fields.get("api-key") ?? "";
}

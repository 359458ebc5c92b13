/** Checks of tenants, and of how requests are told to be theirs. */
import { tenantNameBytesMax } from "../../limits.ts";
import type { ConfigPath } from "../problems/fault.ts";
import { didYouMean } from "../problems/suggest.ts";
import type { AuthConfig, JwtConfig } from "../schema/tenants.ts";
import { isHeaderName } from "../values/header-name.ts";
import { isTenantName } from "../values/key-file.ts";
import { trustedPeers } from "../values/trusted-peers.ts";
import type { CheckContext } from "./context.ts";

export function checkTenants(context: CheckContext): void {
  const { config, faults } = context;
  const { auth, tenants } = config;
  for (const [name, { models = [] }] of Object.entries(tenants)) {
    const path = ["tenants", name];
    if (!isTenantName(name)) {
      const hint = `up to ${tenantNameBytesMax} letters, digits and signs of ASCII, without spaces`;
      faults.emerg(path, `invalid name of a tenant "${name}"`, hint);
    }
    models.forEach((model, index) => {
      if (!model.slice(0, -1).includes("*")) return;
      const hint = 'write the start of the name and then "*"';
      faults.emerg(
        [...path, "models", index],
        `"*" may only end a name, not as in "${model}"`,
        hint,
      );
    });
  }
  if (auth !== undefined) checkAuth(context, auth);
  else if (Object.keys(tenants).length > 0) {
    const hint = "add auth: { keyFile: … }";
    faults.warn(["tenants"], "tenants have no effect without auth", hint);
  }
}

function checkAuth({ config, faults }: CheckContext, auth: AuthConfig): void {
  const { keyFile, tenantHeader, jwt, anonymous, unlisted } = auth;
  if (keyFile === undefined && !tenantHeader && !jwt && anonymous === undefined) {
    const hint = "add keyFile, tenantHeader, jwt or anonymous";
    faults.emerg(["auth"], "auth says no way in which a request has a tenant", hint);
  }
  const known = Object.keys(config.tenants);
  for (const [key, name] of Object.entries({ anonymous, unlisted })) {
    if (name === undefined || known.includes(name) || (known.length === 0 && isTenantName(name)))
      continue;
    const hint = didYouMean(name, known) ?? `tenants: ${known.slice(0, 8).join(", ")}`;
    faults.emerg(["auth", key], `unknown tenant "${name}"`, hint);
  }
  if (tenantHeader !== undefined) {
    const path = ["auth", "tenantHeader"];
    if (!isHeaderName(tenantHeader.name)) {
      faults.emerg([...path, "name"], `invalid header name "${tenantHeader.name}"`);
    }
    tenantHeader.from.forEach((address, index) => {
      if (trustedPeers([address]) !== undefined) return;
      const hint = "write an address, or a network as 10.0.0.0/8";
      faults.emerg([...path, "from", index], `invalid address "${address}"`, hint);
    });
  }
  if (jwt !== undefined) checkJwt(jwt, ["auth", "jwt"], { faults });
}

function checkJwt(
  jwt: JwtConfig,
  path: ConfigPath,
  { faults }: Pick<CheckContext, "faults">,
): void {
  const given = (["jwksUrl", "jwksFile", "publicKeyFile", "secret"] as const).filter(
    (key) => jwt[key] !== undefined,
  );
  if (jwt.jwksUrl !== undefined) checkKeysUrl(jwt.jwksUrl, [...path, "jwksUrl"], { faults });
  if (given.length === 1) return;
  const message =
    given.length === 0
      ? "a token cannot be verified without a key"
      : `${given.map((key) => `"${key}"`).join(" and ")} cannot be combined`;
  faults.emerg(path, message, "write one of jwksUrl, jwksFile, publicKeyFile and secret");
}

/** Whoever can change the keys on their way can make tokens. */
function checkKeysUrl(
  url: string,
  path: ConfigPath,
  { faults }: Pick<CheckContext, "faults">,
): void {
  const parsed = URL.canParse(url) ? new URL(url) : undefined;
  const isLocal = /^(localhost|127\.[\d.]+|\[::1\])$/.test(parsed?.hostname ?? "");
  if (parsed?.protocol === "https:" || (parsed?.protocol === "http:" && isLocal)) return;
  const hint = "write https://…; http:// is for localhost alone";
  faults.emerg(path, `invalid URL "${url}"`, hint);
}

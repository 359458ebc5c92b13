/** Checks of TLS: each encrypted address has a certificate, and what is trusted is said where it has to be. */
import type { Config } from "../schema/schema.ts";
import { listenKey } from "../values/listen-key.ts";
import type { CheckContext } from "./context.ts";

export function checkTls(context: CheckContext): void {
  checkAddresses(context);
  const { config, faults } = context;
  config.servers.forEach(({ tls }, server) => {
    const clients = tls?.clientCertificates;
    if (clients === undefined || clients.verify === "optional_no_ca") return;
    if (clients.caFile !== undefined || clients.trustedFile !== undefined) return;
    const at = ["servers", server, "tls", "clientCertificates"];
    faults.emerg(at, "clients cannot be verified: no issuers are trusted", "name a caFile");
  });
  for (const [name, { tls, engines, sources }] of Object.entries(config.pools)) {
    if (tls === undefined || sources.length > 0) continue;
    if (engines.length === 0 || engines.some(({ url }) => /^https:/i.test(url))) continue;
    const hint = "write https:// before the address of an engine";
    faults.warn(["pools", name, "tls"], "no engine of the pool is reached with TLS", hint);
  }
}

/** The first server of an address is its default, unless another says so. */
function checkAddresses({ config, faults }: CheckContext): void {
  const isMissing = ({ tls }: Config["servers"][number]) =>
    (tls?.certificates.length ?? 0) === 0 && tls?.rejectHandshake !== true;
  const defaults = new Map<string, { server: number; isDefault: boolean }>();
  const encrypted = new Map<string, readonly [server: number, index: number]>();
  config.servers.forEach(({ listen }, server) => {
    listen.forEach((one, index) => {
      const key = one.port === 0 ? `${server} ${index}` : listenKey(one);
      if (one.tls && !encrypted.has(key)) encrypted.set(key, [server, index]);
      if (!defaults.has(key) || one.defaultServer) {
        defaults.set(key, { server, isDefault: one.defaultServer });
      }
    });
  });
  for (const [key, [server, index]] of encrypted) {
    if (!isMissing(config.servers[defaults.get(key)!.server]!)) continue;
    faults.emerg(
      ["servers", server, "listen", index],
      'no "ssl_certificate" is defined for the "listen ... ssl" directive',
      "name a certificate in the address's default server (tls.certificates)",
    );
  }
}

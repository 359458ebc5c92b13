/** Checks of the sources from which a pool gets engines. */
import type { ConfigPath, Faults } from "../problems/fault.ts";
import type { DnsSourceConfig } from "../schema/pool/sources.ts";
import type { PoolConfig } from "../schema/schema.ts";
import { isHostName, parseNameServer } from "../values/engine-url.ts";
import { checkEngine } from "./check-engine.ts";
import type { CheckContext } from "./context.ts";

export function checkSources(
  { config, faults }: CheckContext,
  name: string,
  { sources }: PoolConfig,
): void {
  const seen = new Set<string>();
  sources.forEach((source, index) => {
    const path = ["pools", name, "sources", index];
    const key = JSON.stringify(source);
    if (seen.has(key)) faults.warn(path, `pool "${name}" has the same source twice`);
    seen.add(key);
    if ("dns" in source) checkDns(faults, path, source);
    if ("admin" in source && config.admin?.token === undefined) {
      const hint = "add admin: { token: { file: … } }";
      faults.emerg(path, "engines can be added only on an admin listener with a token", hint);
    }
  });
}

function checkDns(faults: Faults, path: ConfigPath, source: DnsSourceConfig): void {
  const { dns, type, resolver, minMs, maxMs, engine } = source;
  const at = [...path, "dns"];
  if (type === "SRV") {
    if (!isHostName(dns.replace(/[@?].*$/s, ""))) {
      const hint =
        "write for example _http._tcp.decode.example.com: the port comes from the record";
      faults.emerg(at, `invalid name "${dns}" for SRV records`, hint);
    }
  } else {
    const parsed = checkEngine(faults, [...path, "engine"], { ...engine, url: dns }, at);
    const isName = parsed !== undefined && "host" in parsed.address;
    if (parsed !== undefined && !isName) {
      faults.emerg(at, `"${dns}" is no name in DNS`, "write name:port");
    } else if (isName && !/:\d+([@?/].*)?$/s.test(dns)) {
      faults.emerg(at, `the port is missing in "${dns}"`, "write name:port");
    }
  }
  resolver.forEach((server, index) => {
    const parsed = parseNameServer(server);
    if (parsed !== undefined) return;
    const hint = "write an address, as 10.96.0.10 or 127.0.0.1:5353";
    faults.emerg([...path, "resolver", index], `invalid name server "${server}"`, hint);
  });
  if (maxMs < minMs) {
    faults.emerg([...path, "maxMs"], `maxMs (${maxMs}) is below minMs (${minMs})`);
  }
}

/** Checks of the addresses to listen on: those for clients, and that for operators. */
import { isIP } from "node:net";
import type { ConfigPath, Faults } from "../problems/fault.ts";
import type { OperatorListener } from "../schema/operators.ts";
import type { ListenConfig } from "../schema/schema.ts";
import { isHostName, isLoopback } from "../values/engine-url.ts";
import { listenKey } from "../values/listen-key.ts";
import type { CheckContext } from "./context.ts";

export function checkListens({ config, faults }: CheckContext): void {
  const defaults = new Set<string>();
  config.servers.forEach(({ listen }, server) => {
    const seen = new Set<string>();
    listen.forEach((address, index) => {
      const at = ["servers", server, "listen", index];
      checkAddress(faults, address, at);
      // Each port 0 is another port.
      if (address.port === 0) return;
      const key = listenKey(address);
      if (seen.has(key)) faults.emerg(at, `a duplicate listen ${key}`);
      seen.add(key);
      if (!address.defaultServer) return;
      if (defaults.has(key)) faults.emerg(at, `a duplicate default server for ${key}`);
      defaults.add(key);
    });
  });
}

function checkAddress(faults: Faults, address: ListenConfig, path: ConfigPath): void {
  const { host, port, unixPath } = address;
  if (unixPath !== undefined) {
    if (port !== undefined) faults.emerg(path, "unixPath and port cannot be combined");
    // The kernel's limit.
    if (Buffer.byteLength(unixPath) > 107) {
      faults.emerg([...path, "unixPath"], "the path of a unix socket has at most 107 bytes");
    }
    return;
  }
  if (isIP(host) === 0 && !isHostName(host)) {
    const hint = host === "*" ? "write 0.0.0.0 for all addresses" : undefined;
    faults.emerg([...path, "host"], `invalid address "${host}" to listen on`, hint);
  }
}

/** Operators' listeners name engines and requests, so clients must not reach them. */
export function checkOperators(context: CheckContext): void {
  const { admin, metrics } = context.config;
  if (admin !== undefined) checkOperator(context, "admin", admin);
  const { port } = metrics;
  if (port === undefined) return;
  checkOperator(context, "metrics", { ...metrics, port });
  if (admin === undefined || admin.port !== port || port === 0) return;
  if (!overlaps(admin.host, metrics.host)) return;
  const hint = "the admin listener has /metrics, too: leave metrics.port out";
  context.faults.emerg(["metrics", "port"], "the admin listener has this port", hint);
}

function checkOperator(
  { config: { servers }, faults }: CheckContext,
  name: "admin" | "metrics",
  { host, port, token }: Pick<OperatorListener, "host" | "port" | "token">,
): void {
  if (isIP(host) === 0 && !isHostName(host)) {
    faults.emerg([name, "host"], `invalid address "${host}" to listen on`);
  } else if (token === undefined && !isLoopback(host)) {
    const where = `${name}.token, --${name}-token-file`;
    const hint = `name a file or an environment variable that holds one: ${where}`;
    const message = `${name} on "${host}", which is not loopback, needs a token`;
    faults.emerg([name, "host"], message, hint);
  }
  const taken = servers
    .flatMap(({ listen }) => listen)
    .find((listen) => {
      if (port === 0 || listen.unixPath !== undefined || (listen.port ?? 80) !== port) return false;
      return overlaps(listen.host, host);
    });
  if (taken !== undefined) {
    const hint = `choose another port for ${name}`;
    faults.emerg([name, "port"], `a server for clients listens on ${listenKey(taken)}`, hint);
  }
}

function overlaps(one: string, other: string): boolean {
  return one === other || [one, other].some((host) => host === "0.0.0.0" || host === "::");
}

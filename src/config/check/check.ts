/**
 * What the schema cannot say: names that are used exist, texts follow their grammar, addresses do not conflict, and
 * this runtime can do what is asked. The same checks hold for nginx.conf, YAML and flags.
 */
import { type ConfigFault, type ConfigPath, Faults } from "../problems/fault.ts";
import { didYouMean } from "../problems/suggest.ts";
import type { Config, ConfigInput, ServerConfig } from "../schema/schema.ts";
import { checkZones } from "./check-access.ts";
import { checkListens, checkOperators } from "./check-listens.ts";
import { checkErrorLog, checkLogFormats, checkRecord } from "./check-logs.ts";
import { checkMaps } from "./check-maps.ts";
import { checkPools, checkRegistrations } from "./check-pools.ts";
import { checkRoute, warnOfDefaultDialect } from "./check-route.ts";
import { checkSteps } from "./check-steps.ts";
import { checkTenants } from "./check-tenants.ts";
import { checkTls } from "./check-tls.ts";
import type { CheckContext } from "./context.ts";
import { type Runtime, sharedPortsNodeVersion } from "./runtime.ts";
import { TextChecks } from "./text-checks.ts";

/** @param input what the configuration was made of, if that is known */
export function checkConfig(config: Config, runtime: Runtime, input?: ConfigInput): ConfigFault[] {
  const faults = new Faults();
  const context: CheckContext = { config, input, faults, texts: new TextChecks(faults, config) };
  checkRuntime(context, runtime);
  checkPools(context);
  checkRegistrations(context);
  checkLogFormats(context);
  checkErrorLog(context);
  checkRecord(context);
  checkMaps(context);
  checkZones(context);
  checkListens(context);
  checkTls(context);
  checkOperators(context);
  checkTenants(context);
  checkServers(context);
  return faults.list;
}

function checkRuntime(context: CheckContext, runtime: Runtime): void {
  const { config, faults } = context;
  if (runtime.name === "Bun") checkHttp2(context, runtime);
  if (runtime.sharedPorts) return;
  const running = `this is ${runtime.name} ${runtime.version}`;
  const needs = `Bun, or Node ${sharedPortsNodeVersion} or later, on Linux`;
  if (config.workers === "auto") {
    if (runtime.cores < 2) return;
    faults.warn(["workers"], `only one worker runs: several need ${needs}; ${running}`);
  } else if (config.workers > 1) {
    faults.emerg(
      ["workers"],
      `${config.workers} workers need ${needs}; ${running}`,
      "use one worker, or install the package bun beside global-proxy",
    );
  }
}

/**
 * In Bun 1.4 a stream whose client does not read holds up all others of its connection. With TLS clients take what is
 * offered; without it those of HTTP/2 take nothing else.
 */
function checkHttp2({ config, faults }: CheckContext, { name, version }: Runtime): void {
  const running = `this is ${name} ${version}`;
  const why = `HTTP/2 needs Node; ${running}, where one slow stream holds up all of its connection`;
  const onNode = "run on Node (GLOBAL_PROXY_RUNTIME=node)";
  config.servers.forEach(({ listen }, server) => {
    listen.forEach(({ http2, tls }, index) => {
      const at = ["servers", server, "listen", index];
      if (http2 && tls) faults.warn(at, `clients are offered HTTP/1.1 only: ${why}`, onNode);
      else if (http2) faults.emerg(at, why, `${onNode}, or leave http2 out`);
    });
  });
}

function checkServers(context: CheckContext): void {
  const { config, faults, texts } = context;
  config.servers.forEach((server, serverIndex) => {
    const path = ["servers", serverIndex];
    server.names.forEach((name, index) => {
      if (name.startsWith("~")) texts.regex([...path, "names", index], name.slice(1));
      else if (/^\*(?!\.)|[^.]\*$|.\*./.test(name)) {
        const hint = "write a star as *.name or name.*";
        faults.emerg([...path, "names", index], `invalid server name "${name}"`, hint);
      }
    });
    checkSteps(context, server, server.steps, [...path, "steps"]);
    checkUnmatched(context, server, path);
    const seen = new Set<string>();
    server.routes.forEach((route, index) => {
      const at = [...path, "routes", index];
      const { kind, path: matched, within = "" } = route.match;
      // `^~` and a plain prefix with one path are the same location; a regular expression may be repeated.
      const key = `${within} ${kind === "exact" ? "=" : ""}${matched}`;
      if (!kind.startsWith("regex") && seen.has(key)) {
        faults.emerg([...at, "match"], `duplicate route for "${matched}"`);
      }
      if (!kind.startsWith("regex")) seen.add(key);
      checkRoute(context, server, route, at);
    });
  });
  warnOfDefaultDialect(context);
}

function checkUnmatched({ faults }: CheckContext, server: ServerConfig, path: ConfigPath): void {
  const { unmatched, routes } = server;
  if (unmatched === undefined) return;
  const names = routes.map(({ match }) => match.path).filter((name) => name.startsWith("@"));
  if (names.includes(unmatched)) return;
  const hint = didYouMean(unmatched, names) ?? "it is the path of a route, such as @rest";
  faults.emerg([...path, "unmatched"], `no route has the name "${unmatched}"`, hint);
}

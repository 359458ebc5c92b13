/**
 * What the schema cannot say: whether names that are used exist, texts have their grammar, addresses are free of conflict, and
 * this runtime can do what is asked. The same checks for nginx.conf, YAML and switches.
 */
import { isIP } from "node:net";
import { didYouMean } from "../problems/suggest.ts";
import type { ConfigPath } from "../schema/expected.ts";
import { keyTemplates, prefixPolicies } from "../schema/policies.ts";
import type { Config, ListenConfig, PoolConfig, ServerConfig } from "../schema/schema.ts";
import { attributeHint, isEngineAttribute } from "../values/engine-attributes.ts";
import { isHostName, parseEngineUrl, parseHostAndPort } from "../values/engine-url.ts";
import { isBuiltInVariable } from "../values/variables.ts";
import { type CheckContext, checkRoute, checkSteps } from "./check-route.ts";
import { Faults, TextChecks } from "./check-text.ts";
import { type Runtime, sharedPortsNodeVersion } from "./runtime.ts";
import type { ConfigFault } from "./schema-faults.ts";

export function checkConfig(config: Config, runtime: Runtime): ConfigFault[] {
  const faults = new Faults();
  const context: CheckContext = { config, faults, texts: new TextChecks(faults, config) };
  checkRuntime(context, runtime);
  checkPools(context);
  checkRegistrations(context);
  checkLogFormats(context);
  checkRecord(context);
  checkMaps(context);
  checkListens(context);
  checkAdmin(context);
  config.servers.forEach((server, index) => {
    checkServer(context, server, ["servers", index]);
  });
  return faults.list;
}

function checkRuntime({ config, faults }: CheckContext, runtime: Runtime): void {
  if (runtime.sharedPorts) return;
  const running = `this is ${runtime.name} ${runtime.version}`;
  const needs = `Bun, or Node ${sharedPortsNodeVersion} or later, on Linux`;
  if (config.workers === "auto") {
    if (runtime.cores < 2) return;
    faults.warn(["workers"], `one worker serves: more of them need ${needs}; ${running}`);
  } else if (config.workers > 1) {
    faults.emerg(
      ["workers"],
      `${config.workers} workers need ${needs}; ${running}`,
      "use one worker, or install the package bun beside global-proxy",
    );
  }
}

function checkRegistrations({ config, faults }: CheckContext): void {
  const seen = new Set<string>();
  config.registrations.forEach(({ zmq, prefill, decode }, index) => {
    const path = ["registrations", index];
    const [, authority] = /^tcp:\/\/([^/]*)$/.exec(zmq) ?? [];
    const parsed = authority === undefined ? undefined : parseHostAndPort(authority, 0);
    if (parsed === undefined || "problem" in parsed || parsed.port === 0) {
      faults.emerg([...path, "zmq"], `"${zmq}" is no address`, "write it as tcp://0.0.0.0:30001");
    }
    if (seen.has(zmq)) faults.emerg([...path, "zmq"], `"${zmq}" stands twice`);
    seen.add(zmq);
    const pools = Object.keys(config.pools);
    for (const [leg, name] of Object.entries({ prefill, decode })) {
      if (Object.hasOwn(config.pools, name)) continue;
      faults.emerg([...path, leg], `unknown pool "${name}"`, didYouMean(name, pools));
    }
  });
}

function checkPools(context: CheckContext): void {
  const { config, faults } = context;
  const filled = new Set(config.registrations.flatMap(({ prefill, decode }) => [prefill, decode]));
  for (const [name, pool] of Object.entries(config.pools)) {
    if (pool.engines.length === 0 && !filled.has(name)) {
      const hint = "list them, or have them register with it (registrations)";
      faults.emerg(["pools", name, "engines"], `the pool "${name}" has no engines`, hint);
    }
    checkEngines(context, name, pool);
    checkPolicies(context, name, pool);
    checkWhatIsNotUsed(context, name, pool);
  }
}

function checkEngines({ faults }: CheckContext, name: string, { engines }: PoolConfig): void {
  const seen = new Set<string>();
  engines.forEach(({ url, attributes }, index) => {
    const path = ["pools", name, "engines", index];
    for (const attribute of Object.keys(attributes)) {
      if (isEngineAttribute(attribute)) continue;
      const at = [...path, "attributes", attribute];
      faults.emerg(at, `unknown attribute "${attribute}"`, attributeHint(attribute));
    }
    const at = [...path, "url"];
    const parsed = parseEngineUrl(url);
    if ("problem" in parsed) {
      faults.emerg(at, `invalid engine "${url}": ${parsed.problem}`, parsed.hint);
      return;
    }
    const keys = parsed.dpRanks.map((rank) => JSON.stringify([parsed.address, rank]));
    if (keys.some((key) => seen.has(key))) {
      faults.warn(at, `engine "${url}" stands in pool "${name}" twice`);
    }
    for (const key of keys) seen.add(key);
    for (const port of ["kv_events_port", "kv_replay_port"]) {
      const said = attributes[port] ?? parsed.attributes[port];
      if (said === undefined || (/^\d{1,5}$/.test(said) && Number(said) <= 65_535)) continue;
      faults.emerg([...path, "attributes", port], `"${said}" is no port`);
    }
  });
}

/** That of the pool, the one that follows it, and who goes first in a queue. */
function checkPolicies(
  { faults, texts }: CheckContext,
  name: string,
  { policy, shadow, queue }: PoolConfig,
): void {
  if (shadow?.name === "predictive") {
    const hint = "predicted_time has the same score, at once";
    faults.emerg(["pools", name, "shadow"], "predictive holds prompts, a shadow cannot", hint);
  }
  for (const [key, one] of Object.entries({ policy, ...(shadow && { shadow }) })) {
    for (const template of keyTemplates(one)) {
      texts.template(["pools", name, key, "keys" in one ? "keys" : "key"], template);
    }
  }
  const orders = { ...(policy.name === "predictive" && { policy }), ...(queue && { queue }) };
  for (const [key, { priority, tenant }] of Object.entries(orders)) {
    texts.template(["pools", name, key, "priority"], priority);
    texts.template(["pools", name, key, "tenant"], tenant);
  }
}

function checkWhatIsNotUsed(
  { faults }: CheckContext,
  name: string,
  { engines, policy, kvEvents, tokenize, queue }: PoolConfig,
): void {
  if (kvEvents !== undefined && !tokenize)
    faults.warn(["pools", name, "kvEvents"], "without tokenize KV events are not used");
  else if (kvEvents !== undefined && !prefixPolicies.has(policy.name)) {
    const why = `policy ${policy.name} does not go by what engines have cached`;
    faults.warn(["pools", name, "kvEvents"], why);
  }
  if (queue !== undefined && policy.name === "predictive")
    faults.warn(["pools", name, "queue"], "policy predictive has a queue of its own: queueMax");
  else if (queue !== undefined && engines.some(({ maxConns }) => maxConns === 0))
    faults.warn(["pools", name, "queue"], "nobody waits where engines have no maxConns");
}

function checkLogFormats({ config, faults, texts }: CheckContext): void {
  for (const [name, { format }] of Object.entries(config.logFormats)) {
    const at = ["logFormats", name];
    if (name === "combined") faults.emerg(at, '"combined" is the name of a built-in log format');
    texts.template([...at, "format"], format);
  }
}

function checkRecord({ config: { record, errorLog, servers }, faults }: CheckContext): void {
  if (record === undefined) return;
  const routes = servers.flatMap((server) => server.routes);
  const logs = routes.flatMap(({ accessLogs }) => accessLogs.map(({ file }) => file));
  if ([errorLog.file, ...logs].includes(record.file)) {
    faults.emerg(["record", "file"], `"${record.file}" is a log: a trace needs a file of its own`);
  }
}

function checkMaps({ config, faults, texts }: CheckContext): void {
  const seen = new Set<string>();
  config.maps.forEach((map, index) => {
    const at = ["maps", index];
    const { variable } = map;
    if (!/^\w+$/.test(variable)) {
      const hint = variable.startsWith("$") ? "leave the $ out" : undefined;
      faults.emerg([...at, "variable"], `"${variable}" is not a variable's name`, hint);
    } else if (isBuiltInVariable(variable)) {
      faults.emerg([...at, "variable"], `"$${variable}" is a built-in variable`);
    } else if (seen.has(variable)) {
      faults.emerg([...at, "variable"], `two maps make the variable "$${variable}"`);
    }
    seen.add(variable);
    texts.template([...at, "source"], map.source);
    texts.template([...at, "default"], map.default);
    map.entries.forEach(({ match, value }, entry) => {
      const pattern = /^~\*?(.*)$/s.exec(match)?.[1];
      if (pattern !== undefined) texts.regex([...at, "entries", entry, "match"], pattern);
      texts.template([...at, "entries", entry, "value"], value);
    });
  });
}

/** `0.0.0.0:80`, `[::]:80` or `unix:/path`: listens are the same when these are. */
export function listenKey({ host, port, unixPath }: ListenConfig): string {
  if (unixPath !== undefined) return `unix:${unixPath}`;
  return `${isIP(host) === 6 ? `[${host}]` : host}:${port ?? 80}`;
}

function checkListens({ config, faults }: CheckContext): void {
  const defaults = new Map<string, number>();
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
      defaults.set(key, server);
    });
  });
}

/** What operators are told is not for clients. */
function checkAdmin({ config: { admin, servers }, faults }: CheckContext): void {
  if (admin === undefined) return;
  const { host, port } = admin;
  if (isIP(host) === 0 && !isHostName(host)) {
    faults.emerg(["admin", "host"], `"${host}" is not an address to listen on`);
  }
  const everywhere = ["0.0.0.0", "::"];
  const taken = servers
    .flatMap(({ listen }) => listen)
    .find((listen) => {
      if (port === 0 || listen.unixPath !== undefined || (listen.port ?? 80) !== port) return false;
      return listen.host === host || [host, listen.host].some((one) => everywhere.includes(one));
    });
  if (taken !== undefined) {
    faults.emerg(["admin", "port"], `clients are served at ${listenKey(taken)} already`);
  }
}

function checkAddress(faults: Faults, address: ListenConfig, path: ConfigPath): void {
  const { host, port, unixPath } = address;
  if (unixPath !== undefined) {
    if (port !== undefined) faults.emerg(path, "unixPath and port do not stand together");
    // The kernel's bound on the name of a unix socket.
    if (Buffer.byteLength(unixPath) > 107) {
      faults.emerg([...path, "unixPath"], "the path of a unix socket has at most 107 bytes");
    }
    return;
  }
  if (isIP(host) === 0 && !isHostName(host)) {
    const hint = host === "*" ? "write 0.0.0.0 for all addresses" : undefined;
    faults.emerg([...path, "host"], `"${host}" is not an address to listen on`, hint);
  }
}

function checkServer(context: CheckContext, server: ServerConfig, path: ConfigPath): void {
  const { faults, texts } = context;
  server.names.forEach((name, index) => {
    if (name.startsWith("~")) texts.regex([...path, "names", index], name.slice(1));
    else if (/^\*(?!\.)|[^.]\*$|.\*./.test(name)) {
      const hint = "a star stands first as *.name or last as name.*";
      faults.emerg([...path, "names", index], `invalid server name "${name}"`, hint);
    }
  });
  checkSteps(context, server.steps, [...path, "steps"]);
  const seen = new Set<string>();
  server.routes.forEach((route, index) => {
    const at = [...path, "routes", index];
    const { kind, path: matched } = route.match;
    // `^~` and a plain prefix of one path are the same location; a regular expression may well stand twice.
    const key = `${kind === "exact" ? "=" : ""}${matched}`;
    if (!kind.startsWith("regex") && seen.has(key)) {
      faults.emerg([...at, "match"], `a duplicate route for "${matched}"`);
    }
    if (!kind.startsWith("regex")) seen.add(key);
    checkRoute(context, server, route, at);
  });
}

/** The one entry for every source of a configuration: nginx.conf, YAML or flags become one checked `Config`. */
import { readFileSync } from "node:fs";
import { isAbsolute, resolve } from "node:path";
import { checkConfig } from "./check/check.ts";
import { checkPolicyModules, withModulePaths } from "./check/check-policy-modules.ts";
import type { Runtime } from "./check/runtime.ts";
import type { Flags } from "./flags/flags.ts";
import { parseFlags } from "./flags/parse-flags.ts";
import { loadNginx } from "./nginx/load.ts";
import { diskFiles } from "./nginx/syntax/files.ts";
import {
  type ConfigProblem,
  inCommandLine,
  inFileOrder,
  problemAt,
  wholeFile,
} from "./problems/problem.ts";
import { describeOpenError } from "./problems/system-error.ts";
import type { OperatorListener, SecretSource } from "./schema/operators.ts";
import type { Config, ConfigInput } from "./schema/schema.ts";
import type { AuthConfig } from "./schema/tenants.ts";
import { tracingFromEnvironment } from "./tracing-env.ts";
import { fullOperatorTls, fullPoolTls, fullServerTls } from "./values/tls-paths.ts";
import { type Locate, parseYaml } from "./yaml/read-yaml.ts";

export interface FileSource {
  /** As given; a relative one starts at the prefix. */
  readonly file: string;
  /** Where relative paths start: the working directory unless given. */
  readonly prefix?: string;
  /** nginx directives that come before the file's own (`-g`). */
  readonly directives?: string;
}

export type ConfigSource = FileSource | { readonly flags: Flags };

export interface LoadedConfig {
  readonly config: Config;
  /** Warnings, and settings without effect. */
  readonly notices: readonly ConfigProblem[];
  /** Says where in the source a fault is that is found later. */
  readonly locate: Locate;
}

export type LoadResult =
  | LoadedConfig
  | { readonly errors: readonly ConfigProblem[]; readonly notices: readonly ConfigProblem[] };

/** What a front end returns, before the checks that all share. */
type Read =
  | {
      readonly config: Config;
      readonly input?: ConfigInput;
      readonly locate: Locate;
      readonly notices?: readonly ConfigProblem[];
    }
  | { readonly errors: readonly ConfigProblem[]; readonly notices?: readonly ConfigProblem[] };

/**
 * Reads and checks a configuration. It also loads the modules of operators' own policies, since their options are
 * checked.
 */
export async function loadConfig(source: ConfigSource, runtime: Runtime): Promise<LoadResult> {
  const loaded = loadWithoutModules(source, runtime);
  if ("errors" in loaded) return loaded;
  const { config, notices, locate } = loaded;
  const faults = await checkPolicyModules(config);
  if (faults.length > 0) return { errors: inFileOrder(faults.map(locate)), notices };
  return loaded;
}

/** The same, but no module is loaded: for those who need only to know what the configuration says. */
export function loadWithoutModules(source: ConfigSource, runtime: Runtime): LoadResult {
  const loaded = loadAsWritten(source, runtime);
  if ("errors" in loaded) return loaded;
  const isFile = !("flags" in source);
  const full = withFullPaths(loaded.config, resolve((isFile && source.prefix) || "."));
  const file = isFile ? configFilePath(source) : undefined;
  const config = withModulePaths(full, file);
  const tracing = config.tracing ?? tracingFromEnvironment(process.env);
  return { ...loaded, config: tracing ? { ...config, tracing } : config };
}

/** The same, but relative paths stay as written: for the conversion to another format. */
export function loadAsWritten(source: ConfigSource, runtime: Runtime): LoadResult {
  const read = "flags" in source ? readFlags(source.flags) : readFile(source);
  const notices = [...(read.notices ?? [])];
  if ("errors" in read) return { errors: read.errors, notices };
  const problems = inFileOrder(checkConfig(read.config, runtime, read.input).map(read.locate));
  const errors = problems.filter(({ level }) => level === "emerg");
  notices.push(...problems.filter(({ level }) => level !== "emerg"));
  if (errors.length > 0) return { errors, notices };
  return { config: read.config, notices, locate: read.locate };
}

/** The absolute path of a source's file. */
export function configFilePath({ file, prefix }: FileSource): string {
  return resolve(prefix ?? ".", file);
}

function readFlags(flags: Flags): Read {
  const parsed = parseFlags(flags);
  if ("errors" in parsed) return parsed;
  const { config, input } = parsed;
  return { config, input, locate: inCommandLine };
}

function readFile(source: FileSource): Read {
  const file = configFilePath(source);
  return /\.(ya?ml|json)$/i.test(file) ? readYaml(file, source) : readNginx(file, source);
}

function readYaml(file: string, { directives }: FileSource): Read {
  const fail = (message: string): Read => ({
    errors: [problemAt(wholeFile(file), { level: "emerg", message })],
  });
  if (directives !== undefined)
    return fail("-g adds nginx directives, which a YAML file cannot have");
  try {
    return parseYaml(readFileSync(file, "utf8"), file);
  } catch (error) {
    return fail(describeOpenError(file, error as NodeJS.ErrnoException));
  }
}

function readNginx(file: string, { prefix, directives }: FileSource): Read {
  return loadNginx(file, {
    ...diskFiles,
    prefix: resolve(prefix ?? "."),
    ...(directives === undefined ? {} : { globalDirectives: directives }),
  });
}

/** Absolute paths stay right in a reload from another directory. */
function withFullPaths(config: Config, prefix: string): Config {
  const full = (file: string) =>
    isAbsolute(file) || /^(?:stdout$|stderr$|syslog:)/.test(file) ? file : resolve(prefix, file);
  // One that begins with a variable is a path already. A final slash is a part of it.
  const fullRoot = (root: string) =>
    root.startsWith("$") || isAbsolute(root) ? root : full(root) + (root.endsWith("/") ? "/" : "");
  const servers = config.servers.map((server) => ({
    ...server,
    ...(server.tls && { tls: fullServerTls(server.tls, full) }),
    routes: server.routes.map((route) => ({
      ...route,
      accessLogs: route.accessLogs.map((log) => ({ ...log, file: full(log.file) })),
      ...(route.files && { files: { ...route.files, root: fullRoot(route.files.root) } }),
    })),
  }));
  return {
    ...config,
    ...(config.pidFile === undefined ? {} : { pidFile: full(config.pidFile) }),
    errorLog: { ...config.errorLog, file: full(config.errorLog.file) },
    ...(config.admin && { admin: withFullToken(config.admin, full) }),
    metrics: withFullToken(config.metrics, full),
    ...(config.auth && { auth: withFullKeys(config.auth, full) }),
    ...(config.record && { record: { ...config.record, file: full(config.record.file) } }),
    pools: withFullSources(config.pools, full),
    servers,
  };
}

type FullPath = (file: string) => string;

function withFullSources(pools: Config["pools"], full: FullPath): Config["pools"] {
  const entries = Object.entries(pools).map(([name, pool]) => {
    const sources = pool.sources.map((source) =>
      "file" in source ? { ...source, file: full(source.file) } : source,
    );
    const { apiKey, tls } = pool;
    const secrets = {
      ...(apiKey && { apiKey: fullSecret(apiKey, full) }),
      ...(tls && { tls: fullPoolTls(tls, full) }),
    };
    return [name, { ...pool, sources, ...secrets }];
  });
  return Object.fromEntries(entries);
}

function withFullToken<Listener extends Pick<OperatorListener, "token" | "tls">>(
  listener: Listener,
  full: FullPath,
): Listener {
  const { token, tls } = listener;
  return {
    ...listener,
    ...(token && { token: fullSecret(token, full) }),
    ...(tls && { tls: fullOperatorTls(tls, full) }),
  };
}

function withFullKeys(auth: AuthConfig, full: FullPath): AuthConfig {
  const { keyFile, jwt } = auth;
  const { jwksFile, publicKeyFile, secret } = jwt ?? {};
  return {
    ...auth,
    ...(keyFile !== undefined && { keyFile: full(keyFile) }),
    ...(jwt && {
      jwt: {
        ...jwt,
        ...(jwksFile !== undefined && { jwksFile: full(jwksFile) }),
        ...(publicKeyFile !== undefined && { publicKeyFile: full(publicKeyFile) }),
        ...(secret && { secret: fullSecret(secret, full) }),
      },
    }),
  };
}

function fullSecret(secret: SecretSource, full: FullPath): SecretSource {
  return "file" in secret ? { file: full(secret.file) } : secret;
}

/** Where the admin listener of a running proxy is, and its token: from flags, the environment or the configuration. */
import { X509Certificate } from "node:crypto";
import { existsSync, readFileSync } from "node:fs";
import { isIP } from "node:net";
import type { Command } from "commander";
import { currentRuntime } from "../../config/check/runtime.ts";
import { formatProblem } from "../../config/problems/problem.ts";
import { describeOpenError } from "../../config/problems/system-error.ts";
import type { OperatorListener } from "../../config/schema/operators.ts";
import { AdminFailure } from "./admin-failure.ts";

export interface AdminSwitches {
  readonly admin?: string;
  /** The file of the proxy's configuration. */
  readonly config?: string;
  readonly tokenFile?: string;
  readonly tokenEnv: string;
  /** File with the issuer of the listener's certificate. */
  readonly ca?: string;
  readonly insecure?: boolean;
}

export interface AdminPlace {
  /** Such as `http://127.0.0.1:9901`. */
  readonly origin: string;
  readonly token: string | undefined;
  /** Whom to trust, where the origin is `https:`. */
  readonly trust: AdminTrust;
}

export interface AdminTrust {
  /** PEM; undefined = those that the runtime trusts. */
  readonly issuers?: readonly string[];
  /** That the certificate must be for, if it is not the host. */
  readonly name?: string;
  readonly verifies: boolean;
}

const addressVariable = "GLOBAL_PROXY_ADMIN";
export const tokenVariable = "GLOBAL_PROXY_ADMIN_TOKEN";
const defaultFile = "conf/nginx.conf";

export function addAdminOptions(command: Command): Command {
  return command
    .option(
      "--admin <address>",
      `the admin listener: PORT, HOST:PORT or a URL (default: ${addressVariable}, or what -c says)`,
    )
    .option("-c, --config <file>", "the proxy's configuration, which says where that is")
    .option("--ca <file>", "PEM of the issuer of its certificate, if it speaks HTTPS")
    .option("--insecure", "do not verify that certificate")
    .option("--token-file <file>", "file with the token of the admin listener")
    .option("--token-env <name>", "environment variable with that token", tokenVariable);
}

/** Throws `AdminFailure`. */
export async function findAdmin(switches: AdminSwitches): Promise<AdminPlace> {
  const given =
    switches.admin ?? (switches.config === undefined ? process.env[addressVariable] : undefined);
  if (given) {
    return { origin: originOf(given), token: givenToken(switches), trust: givenTrust(switches) };
  }
  const file = switches.config ?? (existsSync(defaultFile) ? defaultFile : undefined);
  if (file === undefined) {
    throw new AdminFailure(
      `where is the admin listener? Say --admin, -c FILE or ${addressVariable}`,
    );
  }
  const listener = await listenerOf(file);
  const { host, port } = listener;
  const reached = ["0.0.0.0", "::"].includes(host)
    ? isIP(host) === 6
      ? "::1"
      : "127.0.0.1"
    : host;
  const scheme = listener.tls === undefined ? "http" : "https";
  const origin = `${scheme}://${isIP(reached) === 6 ? `[${reached}]` : reached}:${port}`;
  const token = givenToken(switches) ?? configuredToken(listener);
  return { origin, token, trust: configuredTrust(switches, listener) };
}

function givenTrust({ ca, insecure }: AdminSwitches): AdminTrust {
  return { verifies: insecure !== true, ...(ca !== undefined && { issuers: [readToken(ca)] }) };
}

/** The configuration says which certificate it is: one that signs itself is trusted, under its own name. */
function configuredTrust(switches: AdminSwitches, { tls }: OperatorListener): AdminTrust {
  const given = givenTrust(switches);
  if (tls === undefined) return given;
  const pem = readToken(tls.certificate.file);
  const { subject, issuer, subjectAltName = "" } = new X509Certificate(pem);
  const name = /(?:DNS|IP Address):([^,]+)/.exec(subjectAltName)?.[1];
  const isOwn = subject === issuer && switches.ca === undefined;
  return { ...given, ...(isOwn && { issuers: [pem] }), ...(name !== undefined && { name }) };
}

async function listenerOf(file: string): Promise<OperatorListener> {
  const { loadWithoutModules } = await import("../../config/load.ts");
  const loaded = loadWithoutModules({ file }, currentRuntime());
  if ("errors" in loaded) throw new AdminFailure(loaded.errors.map(formatProblem).join("\n"));
  const { admin } = loaded.config;
  if (admin === undefined) throw new AdminFailure(`${file} has no admin listener: configure admin`);
  if (admin.port !== 0) return admin;
  throw new AdminFailure(`${file} lets the proxy choose the admin port: say --admin`);
}

/** `9901`, `host:9901` or `http://host:9901`. */
function originOf(text: string): string {
  const full = /^\d+$/.test(text) ? `127.0.0.1:${text}` : text;
  const url = /^https?:\/\//.test(full) ? full : `http://${full}`;
  if (URL.canParse(url)) return new URL(url).origin;
  throw new AdminFailure(`"${text}" is no address: it must be PORT, HOST:PORT or a URL`);
}

function givenToken({ tokenFile, tokenEnv }: AdminSwitches): string | undefined {
  return tokenFile === undefined ? process.env[tokenEnv]?.trim() : readToken(tokenFile);
}

function configuredToken({ token }: OperatorListener): string | undefined {
  if (token === undefined) return undefined;
  return "env" in token ? process.env[token.env]?.trim() : readToken(token.file);
}

function readToken(file: string): string {
  try {
    return readFileSync(file, "utf8").trim();
  } catch (error) {
    throw new AdminFailure(describeOpenError(file, error as NodeJS.ErrnoException));
  }
}

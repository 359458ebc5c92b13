/** What commands that ask a running proxy share: where its admin listener is, its token, one request. */
import { readFileSync } from "node:fs";
import { type Command, InvalidArgumentError } from "commander";
import { describeOpenError } from "../config/problems/system-error.ts";

export interface AdminSwitches {
  readonly admin: string;
  readonly tokenFile?: string;
  readonly tokenEnv: string;
}

export interface AdminResponse {
  readonly status: number;
  readonly text: string;
  /** `{}` if it is no JSON. */
  readonly body: object;
}

/** What the command prints as its error. */
export class AdminFailure extends Error {}

export function addAdminOptions(command: Command): Command {
  return command
    .requiredOption("--admin <address>", "the admin listener: PORT, HOST:PORT or a URL", originOf)
    .option("--token-file <file>", "file with the token of the admin listener")
    .option(
      "--token-env <name>",
      "environment variable with that token",
      "GLOBAL_PROXY_ADMIN_TOKEN",
    );
}

export class AdminClient {
  readonly #admin: string;
  readonly #token: string | undefined;
  readonly #timeoutMs: number;

  /** Throws `AdminFailure` if the token cannot be read. */
  constructor(switches: AdminSwitches, timeoutMs: number) {
    this.#admin = switches.admin;
    this.#token = readToken(switches);
    this.#timeoutMs = timeoutMs;
  }

  /** Throws `AdminFailure` if no response comes. */
  async ask(method: string, path: string): Promise<AdminResponse> {
    const headers = this.#token === undefined ? {} : { authorization: `Bearer ${this.#token}` };
    try {
      const signal = AbortSignal.timeout(this.#timeoutMs);
      const response = await fetch(`${this.#admin}${path}`, { method, headers, signal });
      const text = await response.text();
      return { status: response.status, text, body: parsed(text) };
    } catch (error) {
      const { message, cause } = error as Error & { cause?: Error };
      throw new AdminFailure(`no answer of ${this.#admin}: ${cause?.message ?? message}`);
    }
  }

  /** What a response says that is not as the command wants it. */
  problemOf(path: string, { status, text, body }: AdminResponse): string {
    const said = (body as { error?: { message?: string } }).error?.message;
    return said ?? `${this.#admin}${path} responds with ${status} ${text.slice(0, 1_000)}`.trim();
  }
}

function parsed(text: string): object {
  try {
    return JSON.parse(text) as object;
  } catch {
    return {};
  }
}

function readToken({ tokenFile, tokenEnv }: AdminSwitches): string | undefined {
  if (tokenFile === undefined) return process.env[tokenEnv]?.trim();
  try {
    return readFileSync(tokenFile, "utf8").trim();
  } catch (error) {
    throw new AdminFailure(describeOpenError(tokenFile, error as NodeJS.ErrnoException));
  }
}

/** `9901`, `host:9901` or `http://host:9901`. */
function originOf(text: string): string {
  const full = /^\d+$/.test(text) ? `127.0.0.1:${text}` : text;
  const url = /^https?:\/\//.test(full) ? full : `http://${full}`;
  if (!URL.canParse(url)) throw new InvalidArgumentError("It must be PORT, HOST:PORT or a URL.");
  return new URL(url).origin;
}

/** Asks the admin listener of a running proxy, and says in plain words what is wrong where it cannot. */
import { isFailure, requestOnce } from "../../control/polling/request-once.ts";
import { addressOf } from "../../pool/address.ts";
import type { ClientTlsSettings } from "../../transport/tls/context.ts";
import { AdminFailure } from "./admin-failure.ts";
import { type AdminPlace, type AdminTrust, tokenVariable } from "./find-admin.ts";

export interface AdminResponse {
  readonly status: number;
  readonly text: string;
  /** `{}` if it is no JSON. */
  readonly body: object;
}

export class AdminClient {
  readonly origin: string;
  readonly #token: string | undefined;
  readonly #timeoutMs: number;
  readonly #trust: AdminTrust;

  constructor({ origin, token, trust }: AdminPlace, timeoutMs: number) {
    this.origin = origin;
    this.#trust = trust;
    this.#token = token;
    this.#timeoutMs = timeoutMs;
  }

  /** Throws `AdminFailure` if no response comes. */
  async ask(method: string, path: string, body?: object): Promise<AdminResponse> {
    const headers = this.#token === undefined ? {} : { authorization: `Bearer ${this.#token}` };
    const { hostname, port, protocol } = new URL(this.origin);
    const isTls = protocol === "https:";
    const response = await requestOnce(
      addressOf({
        host: hostname.replace(/^\[|\]$/g, ""),
        port: Number(port || (isTls ? 443 : 80)),
        isTls,
      }),
      {
        method,
        path,
        headers,
        body: body === undefined ? undefined : Buffer.from(JSON.stringify(body)),
        timeoutMs: this.#timeoutMs,
        bytesMax: adminResponseBytesMax,
        tls: isTls ? tlsOf(this.#trust) : undefined,
      },
    );
    if (isFailure(response)) {
      throw new AdminFailure(
        `no answer of ${this.origin}: ${response.why}; does the proxy run, with this admin listener?`,
      );
    }
    const text = response.body.toString("utf8");
    return { status: response.status, text, body: parsed(text) };
  }

  /** The body of a good response; throws `AdminFailure` for any other. @param allowed other statuses that are good */
  async get<Body extends object>(
    method: string,
    path: string,
    { body, allowed = [] }: { body?: object; allowed?: readonly number[] } = {},
  ): Promise<Body> {
    const response = await this.ask(method, path, body);
    const isGood = response.status < 300 || allowed.includes(response.status);
    if (!isGood) throw new AdminFailure(this.problemOf(path, response));
    return response.body as Body;
  }

  /** What a response says that is not as the command wants it. */
  problemOf(path: string, { status, text, body }: AdminResponse): string {
    const { error } = body as { error?: { message: string; type: string; code: string } };
    const { message, code } = error?.type === "admin_error" ? error : {};
    if (code === "unauthorized") {
      return `${this.origin} refuses the token: give the right one by --token-file, --token-env or ${tokenVariable}`;
    }
    if (code === "not_found") {
      return `${this.origin} has no page ${path}: the proxy there is older than this program`;
    }
    if (message !== undefined) return message;
    return `${this.origin}${path} responds with ${status} ${text.slice(0, 1_000)}; is it an admin listener?`;
  }
}

function tlsOf({ issuers, name, verifies }: AdminTrust): ClientTlsSettings {
  return {
    protocols: ["TLSv1.2", "TLSv1.3"],
    ...(issuers && { issuers }),
    revoked: [],
    verifies,
    depthMax: 100,
    keepsSessions: false,
    ...(name !== undefined && { name }),
    sendsName: true,
  };
}

/** Of a page: the largest are lists of all engines. */
const adminResponseBytesMax = 268_435_456;

function parsed(text: string): object {
  try {
    const value: unknown = JSON.parse(text);
    return typeof value === "object" && value !== null ? value : {};
  } catch {
    return {};
  }
}

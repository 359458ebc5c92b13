/** Asks the admin listener of a running proxy, and says in plain words what is wrong where it cannot. */
import { AdminFailure } from "./admin-failure.ts";
import { type AdminPlace, tokenVariable } from "./find-admin.ts";

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

  constructor({ origin, token }: AdminPlace, timeoutMs: number) {
    this.origin = origin;
    this.#token = token;
    this.#timeoutMs = timeoutMs;
  }

  /** Throws `AdminFailure` if no response comes. */
  async ask(method: string, path: string, body?: object): Promise<AdminResponse> {
    const headers = this.#token === undefined ? {} : { authorization: `Bearer ${this.#token}` };
    try {
      const signal = AbortSignal.timeout(this.#timeoutMs);
      const sent = body === undefined ? {} : { body: JSON.stringify(body) };
      const response = await fetch(`${this.origin}${path}`, { method, headers, signal, ...sent });
      const text = await response.text();
      return { status: response.status, text, body: parsed(text) };
    } catch (error) {
      const { message, cause, code } = error as Error & { cause?: Error; code?: string };
      const codes = [code, (cause as { code?: string } | undefined)?.code];
      const known = codes.map((one) => whyByCode[one ?? ""]).find((one) => one !== undefined);
      const why = known ?? (cause?.message || message);
      throw new AdminFailure(
        `no answer of ${this.origin}: ${why}; does the proxy run, with this admin listener?`,
      );
    }
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

/** Runtimes have words of their own for these. */
const whyByCode: Readonly<Record<string, string>> = {
  ECONNREFUSED: "connection refused",
  ECONNRESET: "it closed the connection",
  UND_ERR_SOCKET: "it closed the connection",
};

function parsed(text: string): object {
  try {
    const value: unknown = JSON.parse(text);
    return typeof value === "object" && value !== null ? value : {};
  } catch {
    return {};
  }
}

/**
 * Who may use the admin listener. With a token, whoever sends it. Without one, whoever reaches loopback may read and
 * nothing else. A browser that was led here by a name of an attacker's (DNS rebinding) sends that name as the host.
 */
import { createHash, timingSafeEqual } from "node:crypto";
import { isIP } from "node:net";
import { hostname } from "node:os";
import type { OperatorListener } from "../../config/schema/operators.ts";
import { readSecret } from "../secret-source.ts";

export interface AccessRequest {
  readonly host: string | undefined;
  readonly authorization: string | undefined;
  /** `Sec-Fetch-Site` and `Sec-Fetch-Mode`: browsers alone say whose page asks, and how. */
  readonly fetchSite?: string | undefined;
  readonly fetchMode?: string | undefined;
  /** What it asks for says nothing of this proxy, such as the program of the page. */
  readonly isOpen?: boolean;
}

export interface Refusal {
  readonly status: 401 | 403;
  readonly code: string;
  readonly message: string;
}

/** The listeners for operators, by their section of the configuration. */
export type ListenerName = "admin" | "metrics";

/** Reads the token; throws `ServeError` if there is none where the configuration says. */
export function readAccess(
  { token, host, hosts }: OperatorListener,
  name: ListenerName = "admin",
): AdminAccess {
  const secret = token && readSecret(token, `the ${name} token`, "GP_ADMIN_TOKEN");
  const names = [host, hostname(), "localhost", ...hosts];
  return new AdminAccess(secret, names, name);
}

export class AdminAccess {
  readonly #digest: Buffer | undefined;
  readonly #names: ReadonlySet<string>;
  readonly #listener: ListenerName;

  /** @param token undefined = none is needed to read, and nobody may do more */
  constructor(
    token: string | undefined,
    names: readonly string[],
    listener: ListenerName = "admin",
  ) {
    this.#listener = listener;
    this.#digest = token === undefined ? undefined : digestOf(token);
    this.#names = new Set(names.map((name) => name.toLowerCase()));
  }

  /** Whether requests that go on may change something: only those with a token may. */
  get mayChange(): boolean {
    return this.#digest !== undefined;
  }

  /** Undefined = the request may go on. */
  refusal(request: AccessRequest): Refusal | undefined {
    const { host, authorization, isOpen = false } = request;
    if (!this.#isOurs(host)) {
      const it = this.#listener;
      const message = `this is not the name of the ${it} listener: use its address, or add the name to ${it}.hosts`;
      return { status: 403, code: "unknown_host", message };
    }
    if (isOfAnotherSite(request)) {
      const message = "a page of another site asks for this: open it yourself";
      return { status: 403, code: "another_site", message };
    }
    if (this.#digest === undefined || isOpen) return undefined;
    const [, given = ""] = /^Bearer +([^\s]+)$/i.exec(authorization ?? "") ?? [];
    // Digests have one length: the comparison takes the same time for every token.
    if (timingSafeEqual(digestOf(given), this.#digest)) return undefined;
    const message = `the ${this.#listener} listener needs its token, as Authorization: Bearer TOKEN`;
    return { status: 401, code: "unauthorized", message };
  }

  /** An address is what a browser was told to go to, so no name can have led it here. */
  #isOurs(host: string | undefined): boolean {
    if (host === undefined) return true;
    const [, bracketed, plain = ""] = /^(?:\[([^\]]*)\]|([^:]*))(?::\d*)?$/.exec(host) ?? [];
    const name = (bracketed ?? plain).toLowerCase().replace(/\.$/, "");
    return isIP(name) !== 0 || this.#names.has(name);
  }
}

/** Such a page can read nothing, but its requests take places. A link that somebody follows is none of them. */
function isOfAnotherSite({ fetchSite, fetchMode }: AccessRequest): boolean {
  return (fetchSite === "cross-site" || fetchSite === "same-site") && fetchMode !== "navigate";
}

function digestOf(text: string): Buffer {
  return createHash("sha256").update(text).digest();
}

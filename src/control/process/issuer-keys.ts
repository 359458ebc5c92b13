/**
 * Keys of an issuer of tokens, from its address: fetched at start, when their time is over, and when a token names one
 * that is not known. The last ones stay in force while the issuer cannot be reached.
 */
import { createPublicKey, type JsonWebKey } from "node:crypto";
import { isDeepStrictEqual } from "node:util";
import type { ErrorLog } from "../../observe/error-log.ts";
import type { TokenKeys } from "../../proxy/admission/tenants/credentials.ts";
import {
  complaintAgainMs,
  issuerAgainMs,
  issuerKeySetBytesMax,
  issuerKeysMsDefault,
  issuerKeysMsMax,
  issuerKeysMsMin,
  issuerTimeoutMs,
} from "../limits.ts";

export interface IssuerKeysOptions {
  readonly log: Pick<ErrorLog, "notice" | "error">;
  /** Monotonic. */
  nowMs(): number;
  /** There are others than before. */
  changed(): void;
}

export class IssuerKeys {
  readonly #options: IssuerKeysOptions;
  #url: string | undefined;
  #keys: TokenKeys | undefined;
  #fetching: Promise<void> | undefined;
  #timer: NodeJS.Timeout | undefined;
  #askedMs = Number.NEGATIVE_INFINITY;
  #complainedMs = Number.NEGATIVE_INFINITY;

  constructor(options: IssuerKeysOptions) {
    this.#options = options;
  }

  /** From now on those of this address; undefined = of none. */
  use(url: string | undefined): void {
    if (url === this.#url) return;
    this.close();
    this.#url = url;
    this.#keys = undefined;
    this.#complainedMs = Number.NEGATIVE_INFINITY;
    if (url !== undefined) void this.#fetch(url);
  }

  /** As they were fetched last from this address; undefined = they never were. */
  of(url: string | undefined): TokenKeys | undefined {
    return url === this.#url ? this.#keys : undefined;
  }

  /** A token names a key that is not known. Resolves when the issuer has been asked, or was lately; never rejects. */
  async ask(): Promise<void> {
    const nowMs = this.#options.nowMs();
    if (this.#url === undefined) return;
    if (this.#fetching === undefined && nowMs - this.#askedMs < issuerAgainMs) return;
    this.#askedMs = nowMs;
    await this.#fetch(this.#url);
  }

  close(): void {
    clearTimeout(this.#timer);
    this.#url = undefined;
    this.#fetching = undefined;
  }

  #fetch(url: string): Promise<void> {
    this.#fetching ??= this.#fetchOnce(url).finally(() => {
      if (url === this.#url) this.#fetching = undefined;
    });
    return this.#fetching;
  }

  async #fetchOnce(url: string): Promise<void> {
    clearTimeout(this.#timer);
    const { log, nowMs, changed } = this.#options;
    let againMs = issuerKeysMsMin;
    try {
      const { keys, validMs } = await fetchKeySet(url);
      if (url !== this.#url) return;
      againMs = validMs;
      this.#complainedMs = Number.NEGATIVE_INFINITY;
      const fetched = { jwks: { keys } };
      if (!isDeepStrictEqual(fetched, this.#keys)) {
        this.#keys = fetched;
        log.notice(`${url} has ${keys.length} keys of tokens`);
        changed();
      }
    } catch (error) {
      if (url !== this.#url) return;
      if (nowMs() - this.#complainedMs >= complaintAgainMs) {
        this.#complainedMs = nowMs();
        const then = this.#keys ? "the last ones stay in force" : "tokens get 401 until they come";
        log.error(`keys of tokens cannot be fetched from ${url}: ${reasonOf(error)}; ${then}`);
      }
    }
    this.#timer = setTimeout(() => void this.#fetch(url), againMs);
    this.#timer.unref();
  }
}

interface FetchedKeySet {
  readonly keys: readonly Readonly<Record<string, unknown>>[];
  /** How long until they are to be fetched again. */
  readonly validMs: number;
}

async function fetchKeySet(url: string): Promise<FetchedKeySet> {
  const response = await fetch(url, {
    headers: { accept: "application/json" },
    redirect: "error",
    signal: AbortSignal.timeout(issuerTimeoutMs),
  });
  if (response.status !== 200) {
    await response.body?.cancel();
    throw new Error(`it responds with ${response.status}`);
  }
  const keys = publicKeysIn(await textOf(response));
  const [, seconds] =
    /\bmax-age=(\d{1,9})\b/i.exec(response.headers.get("cache-control") ?? "") ?? [];
  const saidMs = seconds === undefined ? issuerKeysMsDefault : Number(seconds) * 1_000;
  return { keys, validMs: Math.min(issuerKeysMsMax, Math.max(issuerKeysMsMin, saidMs)) };
}

async function textOf({ body }: Response): Promise<string> {
  const chunks: Uint8Array[] = [];
  let bytes = 0;
  for await (const chunk of body ?? []) {
    bytes += chunk.length;
    if (bytes > issuerKeySetBytesMax)
      throw new Error(`it has more than ${issuerKeySetBytesMax} bytes`);
    chunks.push(chunk);
  }
  return Buffer.concat(chunks).toString();
}

/** Without those that are not public or of a kind that nobody knows: issuers list keys for other uses, too. */
function publicKeysIn(text: string): FetchedKeySet["keys"] {
  let keys: unknown;
  try {
    keys = (JSON.parse(text) as { keys?: unknown } | null)?.keys;
  } catch {
    throw new Error("it is no JSON");
  }
  if (!Array.isArray(keys)) throw new Error('it is no JSON Web Key Set, {"keys": [ … ]}');
  const usable = keys.filter(isPublicKey);
  if (usable.length === 0) throw new Error("it has no public key");
  return usable;
}

function isPublicKey(key: unknown): key is Readonly<Record<string, unknown>> {
  if (typeof key !== "object" || key === null || "d" in key || "k" in key) return false;
  try {
    createPublicKey({ key: key as JsonWebKey, format: "jwk" });
    return true;
  } catch {
    return false;
  }
}

/** What `fetch` has failed for stands in its cause. */
function reasonOf(error: unknown): string {
  const { message, cause, name } = error as Error;
  if (name === "TimeoutError") return `it does not respond within ${issuerTimeoutMs / 1_000} s`;
  return cause instanceof Error && cause.message !== "" ? cause.message : message;
}

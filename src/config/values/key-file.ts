/**
 * The file of API keys: in each line the hash of a key, its tenant, and what else its owner wants to note. SHA-256
 * without salt or many rounds is right here, and wrong for passwords: a key of `global-proxy key` has 256 random bits,
 * which nobody finds by trying, and a hash by which a key is looked up costs a microsecond of each request.
 */
import { createHash } from "node:crypto";
import { tenantNameBytesMax } from "../../limits.ts";
import { type ConfigProblem, problemAt } from "../problems/problem.ts";
import { didYouMean } from "../problems/suggest.ts";

export interface ApiKey {
  /** Its SHA-256, in hexadecimal digits. */
  readonly hash: string;
  readonly tenant: string;
}

export type KeyFile =
  | { readonly keys: readonly ApiKey[] }
  | { readonly errors: readonly ConfigProblem[] };

const hashWord = /^sha256:[0-9a-f]{64}$/i;
/** As it stands in headers, logs and labels: no white space, nothing beyond ASCII. */
const tenantWord = /^[\x21-\x7e]+$/;

export function isTenantName(name: string): boolean {
  return name.length <= tenantNameBytesMax && tenantWord.test(name);
}

export function hashOfKey(key: string): string {
  return createHash("sha256").update(key).digest("hex");
}

/** As `global-proxy key` writes it. @param note "" = none */
export function keyLine(key: string, tenant: string, note: string): string {
  return `sha256:${hashOfKey(key)} ${tenant}${note === "" ? "" : ` ${note}`}\n`;
}

/** @param tenants those that there are; none = any name is one */
export function readKeyFile(text: string, file: string, tenants: readonly string[]): KeyFile {
  const keys: ApiKey[] = [];
  const errors: ConfigProblem[] = [];
  const lines = new Map<string, number>();
  text.split(/\r?\n/).forEach((line, index) => {
    const [, hash = "", space = "", tenant = ""] = /^\s*(\S*)(\s*)(\S*)/.exec(line) ?? [];
    if (hash === "" || hash.startsWith("#")) return;
    const fail = (column: number, message: string, hint?: string) => {
      const at = { file, line: index + 1, column };
      errors.push(problemAt(at, { level: "emerg", message, hint }));
    };
    const column = line.indexOf(hash) + 1;
    const known = lines.get(hash.toLowerCase());
    // The word may be a key: it is not repeated.
    if (!hashWord.test(hash)) {
      const hint = "global-proxy key TENANT makes a key, and the line for it";
      fail(
        column,
        "a line must begin with sha256: and the 64 hexadecimal digits of a key's hash",
        hint,
      );
    } else if (tenant === "")
      fail(column, "the tenant of the key is missing", "sha256:HASH TENANT");
    else if (known !== undefined) fail(column, `this key stands in line ${known} already`);
    else if (!isTenantName(tenant) || (tenants.length > 0 && !tenants.includes(tenant))) {
      const hint = didYouMean(tenant, tenants) ?? `tenants: ${tenants.slice(0, 8).join(", ")}`;
      fail(column + hash.length + space.length, `unknown tenant "${tenant}"`, hint);
    } else {
      lines.set(hash.toLowerCase(), index + 1);
      keys.push({ hash: hash.slice("sha256:".length).toLowerCase(), tenant });
    }
  });
  return errors.length > 0 ? { errors } : { keys };
}

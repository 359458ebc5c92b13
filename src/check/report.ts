/** What a check has found: one list of findings, from which the text, the JSON and the exit code come. */

/** `skip`: it was not tried, since it makes no sense here or needs what is missing. */
export type FindingStatus = "ok" | "warn" | "fail" | "skip";

export interface Finding {
  /** Stable: `transfer.recomputed`. Scripts may go by it. */
  readonly code: string;
  readonly status: FindingStatus;
  /** An engine (`prefill 10.0.0.1:8000`), a pair of them, or the fleet. */
  readonly about: string;
  /** A sentence without a full stop. */
  readonly message: string;
  /** What to do about it. */
  readonly remedy?: string;
  /** The numbers behind the message. */
  readonly data?: Readonly<Record<string, unknown>>;
}

/** How an engine is named in findings. */
export interface ReportedEngine {
  readonly role: "prefill" | "decode" | "engine";
  readonly url: string;
  /** As findings name it. */
  readonly name: string;
}

export interface Report {
  readonly engines: readonly ReportedEngine[];
  /** The dialect by which the proxy was started; undefined = it was not. */
  readonly dialect: string | undefined;
  readonly findings: readonly Finding[];
  /** The last lines of the error log of the proxy under test. */
  readonly proxyLog: readonly string[];
  readonly requests: number;
  readonly seconds: number;
}

export const fleet = "fleet";

export function pairName(prefill: { readonly name: string }, decode: { readonly name: string }) {
  return `${prefill.name} → ${decode.name}`;
}

/** Nothing failed. */
export function isGood({ findings }: Pick<Report, "findings">): boolean {
  return findings.every(({ status }) => status !== "fail");
}

/** What belongs to a code is before the dot. */
export function checkOf({ code }: Pick<Finding, "code">): string {
  return code.slice(0, code.indexOf("."));
}

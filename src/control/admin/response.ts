/** Responses of the admin listener. */
import { maskText } from "../../config/values/secrets.ts";
import { jsonOf } from "../../proxy/context/explained/explanation.ts";

export interface AdminResponse {
  readonly status: number;
  readonly contentType: string;
  readonly body: string | AdminStream;
  /** Methods, for 405. Default: those that only read. */
  readonly allow?: string;
  /** Beside those that every response has. */
  readonly headers?: Readonly<Record<string, string>>;
}

/** A response that goes on for as long as its client reads it. */
export interface AdminStream {
  /** @returns what to do when the client is gone */
  open(sink: AdminSink): () => void;
}

export interface AdminSink {
  /** Bytes that the client has not read yet. */
  readonly pendingBytes: number;
  write(text: string): void;
  /** Breaks it off: the client is too slow. */
  destroy(): void;
}

export function json(status: number, value: unknown): AdminResponse {
  return { status, contentType: "application/json", body: `${jsonOf(value)}\n` };
}

/** An error in the shape of OpenAI's, as clients get them, without secrets that the request had. */
export function adminProblem(status: number, code: string, message: string): AdminResponse {
  const body = `${JSON.stringify({ error: { message: maskText(message), type: "admin_error", param: null, code } })}\n`;
  return { status, contentType: "application/json", body };
}

/** A part of a path as text; as it stands if it cannot be decoded. */
export function decoded(text: string): string {
  try {
    return decodeURIComponent(text);
  } catch {
    return text;
  }
}

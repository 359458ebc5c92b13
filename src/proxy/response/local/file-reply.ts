/** A file as a response: read piece by piece, as fast as its client takes it. */
import { type FileHandle, open } from "node:fs/promises";
import { reasonOf } from "../../../http1/reason.ts";
import { filePieceBytes } from "../../../limits.ts";
import { type Outcome, outcomes } from "../../context/outcomes.ts";
import type { RequestContext } from "../../context/request-context.ts";
import type { ClientResponse } from "../client-response.ts";
import { entityTag, type FileFacts, type FileHead, type FileRules, fileHead } from "./file-head.ts";
import { commonLines } from "./local-reply.ts";

export interface FileRequest {
  readonly context: RequestContext;
  readonly response: ClientResponse;
  /** Bytes that the client has not read yet. */
  readonly pendingBytes: number;
  /** For the client in place of the file's own; 0 = its own. */
  readonly status: number;
  ended(outcome: Outcome): void;
}

export class FileReply {
  readonly #request: FileRequest;
  readonly #missing: (status: number) => void;
  #isOver = false;
  #drained: (() => void) | undefined;

  /** @param missing what is responded with in its place: an error */
  constructor(
    request: FileRequest,
    missing: (status: number) => void,
    file: string,
    contentType: string,
    rules: FileRules,
  ) {
    this.#request = request;
    this.#missing = missing;
    this.#open(file, contentType, rules).catch((error: unknown) => this.#failed(error));
  }

  /** The client is gone. */
  cancel(): void {
    this.#isOver = true;
    this.clientDrained();
  }

  /** The client has read what waited for it. */
  clientDrained(): void {
    const drained = this.#drained;
    this.#drained = undefined;
    drained?.();
  }

  async #open(file: string, contentType: string, rules: FileRules): Promise<void> {
    const handle = await open(file, "r");
    try {
      await this.#send(handle, contentType, rules);
    } finally {
      await handle.close();
    }
  }

  async #send(handle: FileHandle, contentType: string, rules: FileRules): Promise<void> {
    const stats = await handle.stat();
    if (this.#isOver) return;
    const facts = { bytes: stats.size, modifiedS: Math.floor(stats.mtimeMs / 1000) };
    const { context, status } = this.#request;
    if (status !== 0 && status !== 200) {
      await this.#pieces(handle, pageHead(status, facts, rules), contentType);
      return;
    }
    const head = fileHead(context.head.fields, facts, rules);
    if (head.status > 400) {
      this.#isOver = true;
      // RFC 9110, section 15.5.17: it says how long the file is.
      context.keptLines += head.lines;
      this.#missing(head.status);
    } else await this.#pieces(handle, head, contentType);
  }

  /** The next piece is read once the client has read the last one, or most of it; then it has a buffer of its own. */
  async #pieces(handle: FileHandle, head: FileHead, contentType: string): Promise<void> {
    const request = this.#request;
    const isSilent = request.context.head.method === "HEAD";
    let { start: at } = head;
    const end = isSilent ? at : head.end;
    let piece = Buffer.allocUnsafe(Math.min(filePieceBytes, Math.max(0, end - at)));
    let isFirst = true;
    do {
      const wanted = Math.min(piece.length, end - at);
      const { bytesRead } =
        wanted === 0 ? { bytesRead: 0 } : await handle.read(piece, 0, wanted, at);
      if (this.#isOver) return;
      if (bytesRead === 0 && at < end) throw new Error("the file has become shorter");
      const bytes = piece.subarray(0, bytesRead);
      if (isFirst) this.#first(head, contentType, bytes);
      else request.response.data([bytes]);
      at += bytesRead;
      if (at === end && !isFirst) request.response.end();
      isFirst = false;
      if (request.pendingBytes > 0 && at < end) await this.#whenDrained();
      if (request.pendingBytes > 0) piece = Buffer.allocUnsafe(piece.length);
      if (this.#isOver) return;
    } while (at < end);
    this.#isOver = true;
    request.ended(outcomes.returned);
  }

  #first({ status, lines, start, end }: FileHead, contentType: string, bytes: Buffer): void {
    const { response, context } = this.#request;
    const isEmpty = status === 304 || contentType === "";
    const type = isEmpty ? "" : `Content-Type: ${contentType}\r\n`;
    response.local(
      status,
      reasonOf(status),
      commonLines(context) + type + lines,
      bytes,
      end - start,
    );
  }

  #whenDrained(): Promise<void> {
    return new Promise((resolve) => {
      this.#drained = resolve;
    });
  }

  #failed(error: unknown): void {
    if (this.#isOver) return;
    this.#isOver = true;
    const { response } = this.#request;
    if (response.started) this.#request.ended(outcomes.truncated);
    else this.#missing((error as NodeJS.ErrnoException).code === "EACCES" ? 403 : 404);
  }
}

/** Of a file that is shown for an error: nothing depends on the client's copy of it. */
function pageHead(status: number, facts: FileFacts, { etag }: FileRules): FileHead {
  return {
    status,
    lines: etag ? `ETag: ${entityTag(facts)}\r\n` : "",
    start: 0,
    end: facts.bytes,
  };
}

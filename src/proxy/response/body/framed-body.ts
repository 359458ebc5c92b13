/** A response body as an engine's connection delivers it: bytes, and where the framing ends and the data begins. */
import type { ChunkedReader } from "../../../http1/chunked/chunked-reader.ts";
import type { ResponseHead } from "../../../http1/head/response-head.ts";

export interface FramedBody {
  readonly head: ResponseHead;
  /** Spans of the last bytes that were fed to it, where the framing is chunked. */
  readonly reader: ChunkedReader;
}

/** A response body that is held back from the client until it is known to be good, or whole. */
import type { ResponseFate, ResponseFilter } from "../../../dialects/dialect.ts";
import { append, emptyList } from "../../context/append.ts";

interface Piece {
  readonly chunk: Buffer;
  readonly start: number;
  readonly end: number;
}

export class BufferedBody {
  pieces: readonly Piece[] = emptyList;
  bytes = 0;

  add(chunk: Buffer, start: number, end: number): void {
    this.pieces = append(this.pieces, { chunk, start, end });
    this.bytes += end - start;
  }

  /** In one piece. */
  get whole(): Buffer {
    const parts = this.pieces.map(({ chunk, start, end }) => chunk.subarray(start, end));
    return parts.length === 1 ? parts[0]! : Buffer.concat(parts, this.bytes);
  }

  /** The whole body as the filter has it; undefined = it stays as it is. */
  change(filter: ResponseFilter): Buffer | ResponseFate {
    const [first] = this.pieces;
    if (first === undefined) return undefined;
    const { chunk, start, end } = first;
    // Nearly all come in one piece, and are not changed: no view is needed, which would cost 1 µs.
    if (this.pieces.length === 1 && !filter.concerns(chunk, start, end)) return undefined;
    const { whole } = this;
    return filter.concerns(whole, 0, whole.length) ? filter.change(whole) : undefined;
  }
}

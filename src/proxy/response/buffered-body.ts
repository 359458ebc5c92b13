/** A response body that is held back from the client until it is known to be good, or whole. */
import type { ResponseFate, ResponseFilter } from "../../dialects/dialect.ts";

interface Piece {
  readonly chunk: Buffer;
  readonly start: number;
  readonly end: number;
}

export class BufferedBody {
  readonly pieces: Piece[] = [];
  bytes = 0;

  add(chunk: Buffer, start: number, end: number): void {
    this.pieces.push({ chunk, start, end });
    this.bytes += end - start;
  }

  /** The whole body as the filter has it; undefined = it stays as it is. */
  change(filter: ResponseFilter): Buffer | ResponseFate {
    const first = this.pieces[0];
    if (first === undefined) return undefined;
    if (this.pieces.length > 1) {
      const parts = this.pieces.map(({ chunk, start, end }) => chunk.subarray(start, end));
      const whole = Buffer.concat(parts, this.bytes);
      return filter.concerns(whole, 0, whole.length) ? filter.change(whole) : undefined;
    }
    const { chunk, start, end } = first;
    if (!filter.concerns(chunk, start, end)) return undefined;
    return filter.change(chunk.subarray(start, end));
  }
}

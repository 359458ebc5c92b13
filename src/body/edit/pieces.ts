/** A body put together of pieces of others, which are not copied before it is sent. */

/** What is sent as a body: in one piece where it is short, else slice by slice. */
export interface OutgoingBody {
  readonly byteLength: number;
  /** Writes all of it and returns the offset after it. Throws RangeError when `out` is too short. */
  writeTo(out: Buffer, at: number): number;
  /** Views in order, none empty, that stay good while they are being written. */
  slices(): Buffer[];
}

export class Pieces implements OutgoingBody {
  byteLength = 0;
  readonly #pieces: Buffer[] = [];

  add(piece: Buffer): void {
    if (piece.length === 0) return;
    this.#pieces.push(piece);
    this.byteLength += piece.length;
  }

  writeTo(out: Buffer, at: number): number {
    if (out.length - at < this.byteLength) throw new RangeError("no room for the body");
    let to = at;
    for (const piece of this.#pieces) to += piece.copy(out, to);
    return to;
  }

  slices(): Buffer[] {
    return this.#pieces;
  }
}

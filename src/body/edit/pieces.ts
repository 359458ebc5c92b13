/** A body made of pieces of other buffers, which are not copied before it is sent. */

/** A body to send: in one piece when it is short, otherwise slice by slice. */
export interface OutgoingBody {
  readonly byteLength: number;
  /** Writes all of it and returns the offset after it. Throws RangeError when `out` is too short. */
  writeTo(out: Buffer, at: number): number;
  /** Views in order, none empty, that stay valid while they are being written. */
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
    if (out.length - at < this.byteLength)
      throw new RangeError("the buffer is too short for the body");
    let to = at;
    for (const piece of this.#pieces) to += piece.copy(out, to);
    return to;
  }

  slices(): Buffer[] {
    return this.#pieces;
  }
}

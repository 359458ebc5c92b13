// Follows the trailer section of a chunked body byte by byte: its fields are checked, bounded and then left out.

import { CLASS, CR, IS_TOKEN, IS_VALUE, LF } from "../charset.ts";
import { FieldId, fieldIdAt } from "../fields/field-ids.ts";
import { type HttpProblem, PROBLEMS } from "../problems.ts";

const COLON = 0x3a;

const LINE_START = 0;
const NAME = 1;
const VALUE = 2;
const LINE_FEED = 3;

/** The longest of the names below has 17 bytes. */
const NAME_BYTES_KEPT = 17;

/** Fields that frame or route a message; RFC 9110, section 6.5.1, forbids them here. */
const isForbidden = (id: number): boolean =>
  id === FieldId.ContentLength || id === FieldId.TransferEncoding || id === FieldId.Host;

export class TrailerReader {
  private place = LINE_START;
  private bytes = 0;
  private nameBytes = 0;
  private readonly name = new Uint8Array(NAME_BYTES_KEPT);

  reset(): void {
    this.place = LINE_START;
    this.bytes = 0;
  }

  get atLineStart(): boolean {
    return this.place === LINE_START;
  }

  /** Takes one byte of the section, but for the CR at a line's start that ends it. */
  take(code: number, bytesMax: number): HttpProblem | undefined {
    if (++this.bytes > bytesMax) return PROBLEMS.trailerTooLarge;
    const kind = CLASS[code]!;
    switch (this.place) {
      case LINE_START:
        if ((kind & IS_TOKEN) === 0) return PROBLEMS.badTrailer;
        this.place = NAME;
        this.nameBytes = 0;
        this.keep(code);
        return undefined;
      case NAME:
        if (code === COLON) return this.endName();
        if ((kind & IS_TOKEN) === 0) return PROBLEMS.badTrailer;
        this.keep(code);
        return undefined;
      case VALUE:
        if (code === CR) this.place = LINE_FEED;
        else if ((kind & IS_VALUE) === 0) return PROBLEMS.badTrailer;
        return undefined;
      default:
        this.place = LINE_START;
        return code === LF ? undefined : PROBLEMS.badTrailer;
    }
  }

  private keep(code: number): void {
    if (this.nameBytes < NAME_BYTES_KEPT) this.name[this.nameBytes] = code;
    this.nameBytes++;
  }

  private endName(): HttpProblem | undefined {
    this.place = VALUE;
    const { name, nameBytes } = this;
    const known = nameBytes <= NAME_BYTES_KEPT && isForbidden(fieldIdAt(name, 0, nameBytes));
    return known ? PROBLEMS.badTrailer : undefined;
  }
}

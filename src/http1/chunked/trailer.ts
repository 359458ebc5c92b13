// Parses the trailer section of a chunked body byte by byte: its fields are checked, limited and left out.

import { CLASS, CR, IS_TOKEN, IS_VALUE, LF } from "../charset.ts";
import { FieldId, fieldIdAt } from "../fields/field-ids.ts";
import { type HttpProblem, PROBLEMS } from "../problems.ts";

const COLON = 0x3a;

const LINE_START = 0;
const NAME = 1;
const VALUE = 2;
const LINE_FEED = 3;

/** The longest of the names below has 17 bytes. */
const NAME_BYTES_MAX = 17;

/** Fields that frame or route a message; RFC 9110, section 6.5.1, forbids them here. */
const isForbidden = (id: number): boolean =>
  id === FieldId.ContentLength || id === FieldId.TransferEncoding || id === FieldId.Host;

export class TrailerReader {
  private state = LINE_START;
  private bytes = 0;
  private nameBytes = 0;
  private readonly name = new Uint8Array(NAME_BYTES_MAX);

  reset(): void {
    this.state = LINE_START;
    this.bytes = 0;
  }

  get atLineStart(): boolean {
    return this.state === LINE_START;
  }

  /** Reads one byte of the section, except for the CR at a line's start that ends it. */
  take(code: number, bytesMax: number): HttpProblem | undefined {
    if (++this.bytes > bytesMax) return PROBLEMS.trailerTooLarge;
    const kind = CLASS[code]!;
    switch (this.state) {
      case LINE_START:
        if ((kind & IS_TOKEN) === 0) return PROBLEMS.badTrailer;
        this.state = NAME;
        this.nameBytes = 0;
        this.addToName(code);
        return undefined;
      case NAME:
        if (code === COLON) return this.endName();
        if ((kind & IS_TOKEN) === 0) return PROBLEMS.badTrailer;
        this.addToName(code);
        return undefined;
      case VALUE:
        if (code === CR) this.state = LINE_FEED;
        else if ((kind & IS_VALUE) === 0) return PROBLEMS.badTrailer;
        return undefined;
      default:
        this.state = LINE_START;
        return code === LF ? undefined : PROBLEMS.badTrailer;
    }
  }

  private addToName(code: number): void {
    if (this.nameBytes < NAME_BYTES_MAX) this.name[this.nameBytes] = code;
    this.nameBytes++;
  }

  private endName(): HttpProblem | undefined {
    this.state = VALUE;
    const { name, nameBytes } = this;
    const known = nameBytes <= NAME_BYTES_MAX && isForbidden(fieldIdAt(name, 0, nameBytes));
    return known ? PROBLEMS.badTrailer : undefined;
  }
}

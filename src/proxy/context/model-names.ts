/**
 * Names of models as labels of metrics. Clients write what they want into `model`: a name is a label only once an
 * engine has served it, and only so many are. All others are `other`.
 */
import type { TopLevel } from "../../body/json/top-level.ts";
import { modelNameBytesMax } from "../../limits.ts";
import { otherLabel } from "../../observe/metrics/metrics-memory.ts";
import { modelKey } from "./engine-model.ts";

/** As names of models are: no white space, so no text. */
const plainName = /^[A-Za-z0-9][A-Za-z0-9._:/@+=-]*$/;
const quote = 0x22;

/** The request names no model, or nobody has read it; and one that has no label of its own. */
const noModel = 0;
const otherModel = 1;

export class ModelNames {
  /** By index. */
  readonly names: string[] = ["", otherLabel];
  readonly #bytes: Buffer[] = this.names.map((name) => Buffer.from(name));
  /** Names beside the first two. */
  max: number;

  constructor(max: number) {
    this.max = max;
  }

  /** @param isServed an engine has responded to it as to one that it knows */
  indexOf(members: TopLevel | undefined, isServed: boolean): number {
    const at = members?.lastIndexOf(modelKey) ?? -1;
    if (at < 0) return noModel;
    const { bytes } = members!;
    const start = members!.valueStart(at);
    const end = members!.valueEnd(at);
    if (bytes[start] !== quote) return otherModel;
    const found = this.#find(bytes, start + 1, end - 1);
    if (found >= 0) return found;
    if (!isServed || end - start - 2 > modelNameBytesMax) return otherModel;
    return this.add(bytes.toString("latin1", start + 1, end - 1));
  }

  /** @returns its index, that of `other` if it gets no label */
  add(name: string): number {
    const known = this.names.indexOf(name);
    if (known >= 0) return known;
    if (this.names.length - 2 >= this.max || !plainName.test(name)) return otherModel;
    this.#bytes.push(Buffer.from(name));
    return this.names.push(name) - 1;
  }

  #find(bytes: Buffer, start: number, end: number): number {
    for (let index = otherModel; index < this.#bytes.length; index += 1) {
      const name = this.#bytes[index]!;
      if (name.length === end - start && isEqual(name, bytes, start)) return index;
    }
    return -1;
  }
}

/** From the end, where names differ. */
function isEqual(name: Buffer, bytes: Buffer, start: number): boolean {
  for (let i = name.length - 1; i >= 0; i -= 1) if (name[i] !== bytes[start + i]) return false;
  return true;
}

// An immutable set of field names, built once per route: known names are bits, others are strings.
import { CLASS, IS_TOKEN } from "./charset.js";
import { fieldIdOf } from "./field-ids.js";

function isToken(name) {
  for (let i = 0; i < name.length; i++) {
    if (((CLASS[name.charCodeAt(i)] ?? 0) & IS_TOKEN) === 0) return false;
  }
  return name.length > 0;
}
export class FieldSet {
  /** Bits of the ids 0 to 31. */
  low;
  /** Bits of the ids 32 to 63. */
  high;
  /** Lower-case names that have no id. */
  others;
  /** Names in any case. Throws TypeError for one that no field can have, as such an entry would never act. */
  constructor(names) {
    const bits = [0, 0];
    const others = new Set();
    for (const name of names) {
      if (!isToken(name)) throw new TypeError(`not a field name: ${JSON.stringify(name)}`);
      const lower = name.toLowerCase();
      const id = fieldIdOf(lower);
      if (id === 0) others.add(lower);
      else bits[id >>> 5] |= 1 << (id & 31);
    }
    this.low = bits[0];
    this.high = bits[1];
    this.others = others;
  }
  has(name) {
    const lower = name.toLowerCase();
    const id = fieldIdOf(lower);
    return id === 0 ? this.others.has(lower) : this.hasId(id);
  }
  /** Whether a known id is in the set; never for 0. */
  hasId(id) {
    return (((id < 32 ? this.low : this.high) >>> (id & 31)) & 1) === 1;
  }
}
export const NO_FIELDS = new FieldSet([]);
//# sourceMappingURL=field-set.js.map

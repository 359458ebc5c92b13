/** No hand-over: each request is one engine's from its prompt to its last token. */
import type { Dialect } from "./dialect.ts";

export const plain: Dialect = {
  name: "plain",
  order: "prefill-first",
  supports: () => false,
  strip: () => {},
  beginTransfer: () => {
    throw new Error("a plain engine has nothing to hand over");
  },
};

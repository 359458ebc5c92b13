/** Content types, charsets, and how long clients may keep responses. */
import type { Block } from "../directives/block.ts";
import {
  charset,
  charsetTypes,
  chunkedTransferEncoding,
  defaultType,
  expires,
  limitRate,
  limitRateAfter,
} from "../directives/http/content.ts";
import type { RouteInput } from "../directives/http/location.ts";

export function readContent(block: Block): Partial<RouteInput> {
  const name = block.value(charset, "off");
  const typeWords = block.value(charsetTypes, []).map((word) => word.text);
  const lifetime = block.value(expires, undefined);
  const bytesPerSecond = block.value(limitRate, 0);
  const textType = block.value(defaultType, "text/plain");
  return {
    ...(textType !== "text/plain" && { textType }),
    ...(name !== "off" && {
      charset: { name, ...(typeWords.length > 0 && { types: typeWords }) },
    }),
    ...(bytesPerSecond !== 0 && {
      clientRate: { bytesPerSecond, afterBytes: block.value(limitRateAfter, 0) },
    }),
    ...(lifetime && { expires: lifetime }),
    ...(!block.value(chunkedTransferEncoding, true) && { chunkedResponses: false }),
  };
}

/** Bounds of metrics that operators do not set. */

/** Rows that each worker has by route and model; and by outcome and status, too. Further ones count as `other`. */
export const metricRowsMax = 128;
export const outcomeRowsMax = 2_048;
/** Bytes of a model's name in a label, and characters of a route. */
export const modelNameBytesMax = 128;
export const routeCharsMax = 128;
/** Response meters that a worker keeps for its next requests, at 4 KiB each. */
export const spareMetersMax = 256;

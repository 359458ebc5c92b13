/** The field `Retry-After` (RFC 9110, section 10.2.3): seconds, or a date. */

/**
 * How long to wait, in ms; undefined = it is no such value.
 * @param wallMs now, since the epoch: dates are counted from it
 */
export function retryAfterMs(value: string, wallMs: number): number | undefined {
  if (/^\d{1,9}$/.test(value)) return Number(value) * 1_000;
  // Seconds with a fraction are no valid field, but some engines send them.
  if (/^\d{1,9}\.\d{1,9}$/.test(value)) return Math.ceil(Number(value) * 1_000);
  const at = /[a-z]{3}.* \d\d:\d\d:\d\d/i.test(value) ? Date.parse(value) : Number.NaN;
  return Number.isNaN(at) ? undefined : Math.max(0, at - wallMs);
}

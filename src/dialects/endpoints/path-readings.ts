/** How a path may be read behind the proxy: engines decode it once, others may decode again or split it elsewhere. */

/** A path is decoded at most so often: whoever is behind the proxy may decode what has been decoded. */
const decodingsMax = 4;

/** With each %XX decoded once, a character per byte; undefined = one of them is broken. */
export function decoded(path: string): string | undefined {
  if (/%(?![0-9A-Fa-f]{2})/.test(path)) return undefined;
  return path.replace(/%(..)/g, (_, digits) => String.fromCharCode(Number.parseInt(digits, 16)));
}

/** The names in a path after all decoding, also behind what some take for its end. @param asRead decoded once */
export function segmentsOf(asRead: string): string[] {
  let last = asRead;
  for (let times = 1; times < decodingsMax && last.includes("%"); times += 1) {
    last = decoded(last) ?? last.replaceAll("%", "");
  }
  return last.split(/[/\\;?#]+/);
}

// Brings a path into the form in which locations are matched, as nginx does.

const PERCENT = 0x25;
const DOT = 0x2e;
const SLASH = 0x2f;
const utf8 = new TextDecoder("utf-8", { fatal: true, ignoreBOM: true });

/** Whether the path contains "%", a byte of UTF-8, "//" or a segment that starts with a dot: all that changes. */
function needsWork(path: string): boolean {
  let before = 0;
  for (let at = 0; at < path.length; at++) {
    const code = path.charCodeAt(at);
    if (code === PERCENT || code >= 0x80) return true;
    if (before === SLASH && (code === SLASH || code === DOT)) return true;
    before = code;
  }
  return false;
}

/** Decodes each %XX once. Undefined for a broken one, a control character, or bytes that are not UTF-8. */
function decode(path: string): string | undefined {
  const bytes = Buffer.allocUnsafe(path.length);
  let length = 0;
  let ascii = true;
  for (let at = 0; at < path.length; at++) {
    let code = path.charCodeAt(at);
    if (code === PERCENT) {
      const digits = path.slice(at + 1, at + 3);
      if (!/^[0-9A-Fa-f]{2}$/.test(digits)) return undefined;
      code = Number.parseInt(digits, 16);
      at += 2;
    }
    if (code < 0x20 || code === 0x7f) return undefined;
    if (code >= 0x80) ascii = false;
    bytes[length++] = code;
  }
  if (ascii) return bytes.toString("latin1", 0, length);
  try {
    return utf8.decode(bytes.subarray(0, length));
  } catch {
    return undefined;
  }
}

/** Resolves "." and "..", and merges slashes if so; undefined when ".." leads above the root. */
function resolveDots(path: string, mergeSlashes: boolean): string | undefined {
  const resolved: string[] = [];
  const segments = path.split("/");
  const last = segments.length - 1;
  for (let i = 1; i <= last; i++) {
    const segment = segments[i]!;
    const dots = segment === "." || segment === "..";
    if (segment === ".." && resolved.pop() === undefined) return undefined;
    if (!dots && (segment !== "" || (!mergeSlashes && i < last))) resolved.push(segment);
    // "/a/." and "/a/b/.." mean the directory, so a slash stays at the end.
    if (i === last && (dots || segment === "") && resolved.length > 0) resolved.push("");
  }
  return `/${resolved.join("/")}`;
}

/**
 * The path of a target with %XX decoded once, "." and ".." resolved and slashes merged unless the server keeps them, in
 * that order: %2F is a slash and %2E a dot, as in nginx. It only chooses a location; the forwarded path stays as it
 * was. Undefined if the request must be rejected with 400. A path that is already normal is returned itself.
 */
export function normalizePath(path: string, mergeSlashes = true): string | undefined {
  if (path.charCodeAt(0) !== SLASH) return path === "*" ? path : undefined;
  if (!needsWork(path)) return path;
  const decoded = decode(path);
  return decoded === undefined ? undefined : resolveDots(decoded, mergeSlashes);
}

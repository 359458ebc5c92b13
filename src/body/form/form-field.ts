/**
 * Finds one short field of a multipart form (RFC 7578) among its files, by the heads of its parts: nothing is copied or
 * decoded. Forms that two parsers could read differently have no field, since an engine might find another one.
 */
import { formFieldBytesMax, formPartHeadBytesMax, formPartsMax } from "../../limits.ts";

/** Where the value stands in the body. */
export interface FormField {
  readonly start: number;
  readonly end: number;
}

const newline = Buffer.from("\r\n");
const headEnd = Buffer.from("\r\n\r\n");
const dash = 0x2d;

/** Undefined = the form has no such field, or is none that all parsers read alike. */
export function formField(body: Buffer, contentType: string, name: string): FormField | undefined {
  const boundary = boundaryOf(contentType);
  if (boundary === undefined) return undefined;
  const delimiter = Buffer.from(`\r\n--${boundary}`, "latin1");
  // The first one has no line before it.
  if (body.indexOf(delimiter.subarray(2)) !== 0) return undefined;
  let field: FormField | undefined;
  let at = delimiter.length - 2;
  for (let parts = 0; parts < formPartsMax; parts += 1) {
    if (body[at] === dash && body[at + 1] === dash) return field;
    if (body.compare(newline, 0, 2, at, at + 2) !== 0) return undefined;
    const head = body.subarray(at + 2, at + 2 + formPartHeadBytesMax);
    const headBytes = head.indexOf(headEnd);
    if (headBytes < 0) return undefined;
    const partName = nameIn(head.toString("latin1", 0, headBytes));
    if (partName === undefined) return undefined;
    const start = at + 2 + headBytes + headEnd.length;
    // An empty value has its delimiter behind the head's own last line.
    const end = body.indexOf(delimiter, start - 2);
    if (end < 0) return undefined;
    if (partName === name) {
      if (field !== undefined || end - start > formFieldBytesMax) return undefined;
      field = { start, end: Math.max(start, end) };
    }
    at = end + delimiter.length;
  }
  return undefined;
}

function boundaryOf(contentType: string): string | undefined {
  const [, quoted, token] =
    /^multipart\/form-data *; *boundary=(?:"([^"\\\r\n]{1,70})"|([^\s";,]{1,70}))$/i.exec(
      contentType.trim(),
    ) ?? [];
  return quoted ?? token;
}

const disposition = /^content-disposition *:/i;
const parameters = /^form-data((?: *; *[a-z]+(?:="[^"\\]*"|\*=[\w'%.~+-]+))+)$/i;

/** The name of a part, by its head; undefined = another parser may find another one. */
function nameIn(head: string): string | undefined {
  const lines = head.split("\r\n");
  // A line that goes on, or ends otherwise.
  if (lines.some((line) => !/^[\w-]+ *:[^\r\n]*$/.test(line))) return undefined;
  const found = lines.filter((line) => disposition.test(line));
  if (found.length !== 1) return undefined;
  const [, list] = parameters.exec(found[0]!.replace(disposition, "").trim()) ?? [];
  if (list === undefined) return undefined;
  const names = [...list.matchAll(/; *([a-z]+)(?:="([^"]*)"|(\*)=)/gi)].filter(
    ([, key]) => key!.toLowerCase() === "name",
  );
  const [only] = names;
  return names.length === 1 && only![3] === undefined ? only![2] : undefined;
}

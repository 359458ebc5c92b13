/** A form that two parsers read differently must not name one model to the proxy and another to the engine. */
import { expect, test } from "vitest";
import { formField } from "../../../src/body/form/form-field.ts";
import { formPartsMax } from "../../../src/limits.ts";

const type = "multipart/form-data; boundary=b0";
const file = Buffer.from([0, 13, 10, 45, 45, 98, 255]);
const part = (head: string, value: string | Buffer = "v") =>
  Buffer.concat([Buffer.from(`--b0\r\n${head}\r\n\r\n`), Buffer.from(value), Buffer.from("\r\n")]);
const field = (name: string, value: string) =>
  part(`Content-Disposition: form-data; name="${name}"`, value);
const upload = part(
  'Content-Disposition: form-data; name="file"; filename="a; name=b.wav"\r\nContent-Type: audio/wav',
  file,
);
const form = (...parts: readonly Buffer[]) => Buffer.concat([...parts, Buffer.from("--b0--\r\n")]);
const modelIn = (body: Buffer, contentType = type) => {
  const found = formField(body, contentType, "model");
  return found && body.toString("utf8", found.start, found.end);
};

test.each([
  ["behind a file", form(upload, field("model", "whisper")), "whisper"],
  ["before it", form(field("model", "größe"), upload), "größe"],
  ["an empty one", form(field("model", ""), upload), ""],
  [
    "with a type",
    form(part('content-disposition: form-data; name="model"\r\nContent-Type: text/plain')),
    "v",
  ],
  ["of lines", form(field("model", "a\r\nb")), "a\r\nb"],
])("the field is found: %s", (_, body, expected) => {
  expect(modelIn(body)).toBe(expected);
});

test("a boundary may have quotes", () => {
  expect(modelIn(form(field("model", "m")), 'Multipart/Form-Data; boundary="b0"')).toBe("m");
});

test.each([
  ["none", form(upload)],
  ["two", form(field("model", "a"), field("model", "b"))],
  [
    "one whose name is written twice",
    form(part('Content-Disposition: form-data; name="model"; name="x"')),
  ],
  [
    "one with an encoded name",
    form(field("model", "a"), part("Content-Disposition: form-data; name*=utf-8''model")),
  ],
  [
    "a name with an escape",
    form(field("model", "a"), part('Content-Disposition: form-data; name="mod\\el"')),
  ],
  [
    "a name without quotes",
    form(field("model", "a"), part("Content-Disposition: form-data; name=model")),
  ],
  [
    "two dispositions",
    form(
      part(
        'Content-Disposition: form-data; name="model"\r\nContent-Disposition: form-data; name="x"',
      ),
    ),
  ],
  ["a folded line", form(part('Content-Disposition: form-data;\r\n name="model"'))],
  ["a head with lone line feeds", form(part('X: y\nContent-Disposition: form-data; name="model"'))],
  [
    "something before the first part",
    Buffer.concat([Buffer.from("x\r\n"), form(field("model", "a"))]),
  ],
  ["no end", field("model", "a")],
  [
    "a line of the boundary that goes on",
    Buffer.from(form(field("model", "a")).toString().replace("--b0\r\n", "--b0x\r\n")),
  ],
  ["a value too long for a name", form(field("model", "m".repeat(2_000)))],
  [
    "too many parts",
    form(...Array.from({ length: formPartsMax }, () => field("x", "")), field("model", "a")),
  ],
  [
    "a head too long",
    form(part(`Content-Disposition: form-data; name="model"\r\nX: ${"x".repeat(5_000)}`)),
  ],
])("the field is not found: %s", (_, body) => {
  expect(modelIn(body)).toBeUndefined();
});

test.each([
  "multipart/form-data",
  "multipart/form-data; boundary=",
  "multipart/form-data; boundary=b0, multipart/form-data; boundary=b1",
  "multipart/form-data; boundary=b0; boundary=b1",
  "multipart/mixed; boundary=b0",
  "application/json",
])("the type %j has none", (contentType) => {
  expect(modelIn(form(field("model", "a")), contentType)).toBeUndefined();
});

test("a real client's form has it", async () => {
  const data = new FormData();
  data.append("file", new Blob([file]), 'ä ".wav');
  data.append("model", "whisper-large");
  const request = new Request("http://x", { method: "POST", body: data });
  const contentType = request.headers.get("content-type")!;
  expect(modelIn(Buffer.from(await request.arrayBuffer()), contentType)).toBe("whisper-large");
});

/** Reads a secret from where the configuration says: a file, or the environment. */
import { readFileSync } from "node:fs";
import { describeOpenError } from "../config/problems/system-error.ts";
import type { SecretSource } from "../config/schema/operators.ts";
import { secretBytesMax } from "./limits.ts";
import { ServeError } from "./serve-error.ts";

/**
 * Throws `ServeError` if there is none, or one that no header line can have.
 * @param what it is, for the message
 */
export function readSecret(from: SecretSource, what: string, code: string): string {
  const [text, where] =
    "env" in from
      ? [process.env[from.env] ?? "", `the environment variable ${from.env}`]
      : [readFile(from.file, code), from.file];
  const secret = text.trim();
  const problem =
    secret === ""
      ? "is empty"
      : /[^\x21-\x7e]/.test(secret)
        ? "has white space or characters beyond ASCII"
        : Buffer.byteLength(secret) > secretBytesMax
          ? `has more than ${secretBytesMax} bytes`
          : undefined;
  if (problem === undefined) return secret;
  throw new ServeError(`${what} in ${where} ${problem}`, code);
}

function readFile(file: string, code: string): string {
  try {
    return readFileSync(file, "utf8");
  } catch (error) {
    throw new ServeError(describeOpenError(file, error as NodeJS.ErrnoException), code);
  }
}

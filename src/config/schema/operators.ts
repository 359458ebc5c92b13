/** What the listeners for operators have in common. */
import { z } from "zod";
import { parseHostAndPort } from "../values/engine-url.ts";
import { withDetails } from "./describe.ts";
import type { OperatorTlsConfig } from "./tls.ts";
import { text } from "./values.ts";

/** @param learns what whoever may read there gets to know */
export function operatorHost(learns: string) {
  return text
    .default("127.0.0.1")
    .describe(withDetails("Address to listen on. Any but loopback needs a token.", learns));
}

export const operatorPort = z
  .int()
  .min(0)
  .max(65_535)
  .describe("0 = any free port; the log names it.");

/** Where a secret is read from: never from the configuration itself, which people show each other. */
export const secretSource = z.union([
  z.strictObject({ file: text.describe("File that holds it.") }),
  z.strictObject({ env: text.describe("Environment variable that holds it.") }),
]);

export type SecretSource = z.output<typeof secretSource>;

/** @param without what is so if there is none */
export function operatorToken(without: string) {
  return secretSource
    .optional()
    .describe(
      withDetails(
        "The token that every request sends as `Authorization: Bearer TOKEN`. It is read again on a reload.",
        without,
      ),
    );
}

export const operatorHosts = z
  .array(text)
  .max(64)
  .default([])
  .describe(
    "Further names by which operators reach it. Addresses, `localhost` and this machine's name always are.",
  );

/** Where such a listener is, and who may use it. */
export interface OperatorListener {
  readonly host: string;
  readonly port: number;
  readonly token?: SecretSource | undefined;
  readonly hosts: readonly string[];
  readonly tls?: OperatorTlsConfig | undefined;
}

/** `PORT` of loopback, or `HOST:PORT`. */
export function parseOperatorAddress(
  address: string,
): { host?: string; port: number } | { readonly problem: string } {
  const port = /^:?(\d{1,5})$/.exec(address)?.[1];
  if (port !== undefined && Number(port) <= 65_535) return { port: Number(port) };
  const parsed = parseHostAndPort(address, 0);
  if ("problem" in parsed) return { problem: parsed.problem };
  return parsed.port > 0 ? parsed : { problem: "the port is missing" };
}

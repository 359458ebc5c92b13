/** Encrypted connections on each runtime: see `checks.ts`. */
import { execFileSync } from "node:child_process";
import { fileURLToPath } from "node:url";
import { expect, test } from "vitest";
import { Authority, type CertificateFiles } from "../../support/certificates.ts";
import { executableOf, runtimes } from "../../support/runtimes.ts";
import { checkTls, type Files } from "./checks.ts";

const names = [
  "bytes go both ways, and an end is an end",
  "a slow reader: bytes are pending, and drained once it reads",
  "small chunks are taken at once, and a reset closes both ends",
  "a client that speaks plain text can be told so",
  "a handshake that is slow holds up no other, and comes in pieces",
  "a client gets the certificate that it can verify",
  "a server that is not trusted gets nothing",
  "a client's certificate is known, with what is wrong with it",
  "a second connection resumes the session of the first",
  "a handshake is rejected with an alert",
  "a listener turns to TLS, and open connections stay as they are",
];

const authority = Authority.create();
const pair = ({ certificate, key }: CertificateFiles) => [certificate, key] as const;
const files: Files = {
  authority: authority.files.certificate,
  ec: pair(authority.issue("a.test")),
  rsa: pair(authority.issue("a.test", { kind: "rsa" })),
  expired: pair(authority.issue("a.test", { isExpired: true })),
  client: pair(authority.issue("some client")),
};

test.each(runtimes)("TLS over the sockets of %s", async (runtime) => {
  const done: string[] = [];
  // The runtime that runs the tests may not read TypeScript by itself.
  if (runtime === "node") await checkTls(files, (name) => void done.push(name));
  else {
    const program = fileURLToPath(new URL("checks.ts", import.meta.url));
    const args = [program, JSON.stringify(files)];
    const output = execFileSync(executableOf(runtime), args, { encoding: "utf8" });
    done.push(...output.trimEnd().split("\n"));
  }
  expect(done).toEqual(names);
});

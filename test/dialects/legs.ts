/** Runs a dialect over a body, as the exchange does. */

import { Edits } from "../../src/body/edit/splice.ts";
import { scanTopLevel, TopLevel } from "../../src/body/json/top-level.ts";
import type { Dialect, DialectRequest, Engines, KvTransfer } from "../../src/dialects/dialect.ts";
import { dialects } from "../../src/dialects/registry.ts";

export const engines: Engines = {
  prefill: { host: "10.0.0.1", port: 8100, dpRank: -1, attributes: {} },
  decode: { host: "fd00::2", port: 8200, dpRank: -1, attributes: {} },
};

/** Those whose engines split requests, by name. */
export const transferring: readonly (readonly [name: string, dialect: Dialect])[] = [
  ...dialects,
].filter(([, dialect]) => !dialect.servesWhole);

/** Shared, so that each test also shows that nothing of the one before is left. */
const members = new TopLevel();
const edits = new Edits();
let minted = 0;

/** An attempt over a body; ids count up, from beyond 2^53. */
export class Attempt {
  readonly request: DialectRequest;
  readonly transfer: KvTransfer;

  constructor(dialect: Dialect, body: string, path = "/v1/chat/completions") {
    this.request = requestOf(body, path);
    this.transfer = dialect.beginTransfer(this.request);
    this.transfer.callbackUrl?.("http://10.0.0.9:9000/callback/0");
  }

  prefill(of: Engines = engines): string {
    return edited(() => this.transfer.prefillEdits(edits, of));
  }

  decode(of: Engines = engines): string {
    return edited(() => this.transfer.decodeEdits(edits, of));
  }
}

export function requestOf(body: string, path = "/v1/chat/completions"): DialectRequest {
  const bytes = Buffer.from(body);
  const problem = scanTopLevel(bytes, 0, bytes.length, members);
  if (problem !== undefined) throw new Error(`${problem.code} at ${problem.offset}`);
  minted = 0;
  return {
    members,
    path,
    requestId: "3f2c9a52-8a5e-4a57-9a53-0d6d4cf2b1a7",
    ids: {
      uuid: () => `00000000-0000-4000-8000-${String(++minted).padStart(12, "0")}`,
      secret: () => String(++minted).padStart(32, "0"),
      integer63: () => 9_007_199_254_740_993n + BigInt(++minted),
    },
  };
}

export function prefillBody(dialect: Dialect, body: string, path?: string): string {
  return new Attempt(dialect, body, path).prefill();
}

/** @param answer the prefill engine's; undefined = it has given none that is of use */
export function decodeBody(dialect: Dialect, body: string, response?: string | Buffer): string {
  const round = new Attempt(dialect, body);
  // Together, the prefill engine is told first.
  round.prefill();
  if (response !== undefined) round.transfer.prefillResponded(Buffer.from(response));
  return round.decode();
}

export function strippedBody(dialect: Dialect, body: string): string {
  requestOf(body);
  return edited(() => dialect.strip(members, edits));
}

function edited(edit: () => void): string {
  edits.start(members);
  edit();
  const out = Buffer.alloc(edits.byteLength);
  edits.writeTo(out, 0);
  return out.toString();
}

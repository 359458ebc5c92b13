/** Runs a dialect over a body, as the exchange does. */

import { Edits } from "../../src/body/splice.ts";
import { scanTopLevel, TopLevel } from "../../src/body/top-level.ts";
import type { Dialect, Handoff, LegContext } from "../../src/dialects/dialect.ts";

export const leg: LegContext = {
  path: "/v1/chat/completions",
  requestId: "3f2c9a52-8a5e-4a57-9a53-0d6d4cf2b1a7",
  prefill: { host: "10.0.0.1", port: 8100 },
  decode: { host: "fd00::2", port: 8200 },
};

/** Shared, so that each test also shows that nothing of the one before is left. */
const members = new TopLevel();
const edits = new Edits();

export function prefillBody(dialect: Dialect, body: string): string {
  return edited(body, () => dialect.prefillEdits(members, edits, leg));
}

export function decodeBody(dialect: Dialect, body: string, handoff?: Handoff): string {
  return edited(body, () => dialect.decodeEdits(members, edits, handoff, leg));
}

function edited(body: string, edit: () => void): string {
  const bytes = Buffer.from(body);
  const problem = scanTopLevel(bytes, 0, bytes.length, members);
  if (problem !== undefined) throw new Error(`${problem.code} at ${problem.offset}`);
  edits.begin(members);
  edit();
  const out = Buffer.alloc(edits.byteLength);
  edits.writeTo(out, 0);
  return out.toString();
}

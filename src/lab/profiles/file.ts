/** A profile of one's own, as `global-proxy calibrate --json` prints it. */
import { readFileSync } from "node:fs";
import { z } from "zod";
import type { EngineProfile } from "../profile.ts";

const cost = z.number().min(0);

const profileSchema = z.strictObject({
  name: z.string().min(1),
  source: z.string(),
  prefillBaseMs: cost,
  prefillTokenMs: cost,
  prefillPairMs: cost,
  prefillBatchTokens: cost,
  transferBaseMs: cost,
  transferTokenMs: cost,
  // Time must go on.
  stepBaseMs: z.number().positive(),
  stepRequestMs: cost,
  stepKvTokenMs: cost,
  kvTokens: z.number().min(1),
});

/** Throws an Error that names the file and what is wrong in it. */
export function readProfile(file: string): EngineProfile {
  let value: unknown;
  try {
    value = JSON.parse(readFileSync(file, "utf8"));
  } catch (error) {
    throw new Error(`${file}: ${(error as Error).message}`);
  }
  const parsed = profileSchema.safeParse(value);
  if (parsed.success) return parsed.data;
  const { path, message } = parsed.error.issues[0]!;
  throw new Error(`${file}: ${path.length === 0 ? "" : `"${path.join(".")}": `}${message}`);
}

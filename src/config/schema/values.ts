/** Kinds of values that many keys have. */
import { z } from "zod";

export const text = z.string().min(1);
/** At most a day. */
export const milliseconds = z.int().min(0).max(86_400_000);
export const bytes = z.int().min(0).max(Number.MAX_SAFE_INTEGER);

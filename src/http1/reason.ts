/** The reason phrase of a status, as Node knows it. */
import { STATUS_CODES } from "node:http";

/** "" for a status that has none. */
export function reasonOf(status: number): string {
  return STATUS_CODES[status] ?? "";
}

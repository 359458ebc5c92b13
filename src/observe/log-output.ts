/** Where a log is written, as logs see it. */
import type { LogLevel } from "../config/schema/schema.ts";

export interface LogOutput {
  /** As the configuration names it. */
  readonly file: string;
  /** Lines that were dropped. */
  readonly dropped: number;
  /**
   * @param lines one or more lines, each with its line end
   * @param level of the lines, for outputs that tell it
   */
  write(lines: string, level?: LogLevel): void;
  reopen(): void;
  flush(): void;
  close(): void;
}

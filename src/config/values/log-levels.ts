/** Levels of the error log, from the least to the most severe, by nginx's names. */
export const logLevels = [
  "debug",
  "info",
  "notice",
  "warn",
  "error",
  "crit",
  "alert",
  "emerg",
] as const;

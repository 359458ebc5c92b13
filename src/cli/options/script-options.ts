/** Options of the original's start scripts, as flags. */
const flagOf: ReadonlyMap<string, string> = new Map([
  ["--prefill-servers-list", "--prefill"],
  ["--prefill-endpoints", "--prefill"],
  ["--decode-servers-list", "--decode"],
  ["--decode-endpoints", "--decode"],
  ["--listen-port", "--listen"],
  ["--core-num", "--workers"],
  ["--prefill-lb-sdk", "--prefill-policy"],
  ["--decode-lb-sdk", "--decode-policy"],
  ["--omni-proxy-prefill-max-num-seqs", "--prefill-max-num-seqs"],
  ["--omni-proxy-decode-max-num-seqs", "--decode-max-num-seqs"],
  ["--access-log-file", "--access-log"],
  ["--metrics-servers-list", "--metrics-servers"],
]);

/** Options that mean a flag without a value, or nothing, by their own values. */
const switchOf: ReadonlyMap<string, Readonly<Record<string, readonly string[]>>> = new Map([
  ["--stream-ops", { add: ["--stream-usage"], set_opt: ["--stream-usage"], off: [] }],
]);

/** The same with a value that has no effect, or none: the size of shared memory. */
const sizedSwitchOf: ReadonlyMap<string, readonly string[]> = new Map([
  ["--enable-internal-metrics", ["--internal-metrics"]],
  // `--attention-num` says it.
  ["--enable-attention-ffn-disaggregation", []],
]);
const size = /^\d+[kKmM]?$/;

/** @returns the words with the names of flags, or what is wrong with them */
export function scriptOptions(words: readonly string[]): readonly string[] | { error: string } {
  const flags: string[] = [];
  for (let at = 0; at < words.length; at += 1) {
    const word = words[at]!;
    const [, name = "", joined = ""] = /^([^=]*)(.*)$/s.exec(word)!;
    const next = words[at + 1] ?? "";
    const values = switchOf.get(name);
    if (values !== undefined) {
      const value = joined === "" ? next : joined.slice(1);
      if (!Object.hasOwn(values, value)) {
        return { error: `unknown value "${value}" for ${name}: ${Object.keys(values).join(", ")}` };
      }
      flags.push(...values[value]!);
      if (joined === "") at += 1;
    } else if (sizedSwitchOf.has(name)) {
      flags.push(...sizedSwitchOf.get(name)!);
      if (joined === "" && size.test(next)) at += 1;
    } else flags.push(`${flagOf.get(name) ?? name}${joined}`);
  }
  return flags;
}

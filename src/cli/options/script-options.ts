/** Options of the original's start scripts that correspond to flags under another name. */
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
]);

export function withoutScriptNames(words: readonly string[]): string[] {
  return words.map((word) => {
    const [, name = "", rest = ""] = /^([^=]*)(.*)$/s.exec(word)!;
    const flag = flagOf.get(name);
    return flag === undefined ? word : `${flag}${rest}`;
  });
}

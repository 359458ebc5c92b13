/** Variables that a configuration defines and uses. Each must be defined, but may be used before that. */
import { didYouMean } from "../../problems/suggest.ts";
import { parseTemplate, TemplateError } from "../../values/template.ts";
import { isBuiltInVariable, isReservedVariable, variableNames } from "../../values/variables.ts";
import type { Word } from "../syntax/lexer.ts";
import { DirectiveError, type Report } from "../syntax/report.ts";

/** Variables of nginx and its usual modules that do not exist here, with those to use instead. "" = there is none. */
const foreignVariables: ReadonlyMap<string, string> = new Map([
  ["gzip_ratio", ""],
  ["https", ""],
  ["proxy_protocol_addr", ""],
  ["proxy_protocol_port", ""],
  ["realip_remote_addr", "remote_addr"],
  ["realip_remote_port", "remote_port"],
  ["request_body", ""],
  ["request_body_file", ""],
  ["tcpinfo_rtt", ""],
  ["upstream_cache_status", ""],
  ["upstream_queue_time", ""],
]);

/** The same of the original's variables, which its scripts write into formats of logs. */
const originalVariables: ReadonlyMap<string, string> = new Map([
  ["apc", ""],
  ["cmplt_tks", ""],
  ["cont_rcved", ""],
  ["d_done", ""],
  ["d_sched", ""],
  ["d_send", ""],
  ["decode_idx", "decode_addr"],
  ["decode_max_match", ""],
  ["decode_server", "decode_addr"],
  ["decoded_tks", ""],
  ["e2e", "request_time"],
  ["e_end", ""],
  ["e_sched", ""],
  ["e_start", ""],
  ["encode_idx", "encode_addr"],
  ["last_resp", ""],
  ["latency", "request_time"],
  ["max_match", ""],
  ["max_tks", ""],
  ["p_done", "prefill_time_ms"],
  ["p_ed", "prefill_time_ms"],
  ["p_sched", ""],
  ["p_send", ""],
  ["prefill_idx", "prefill_addr"],
  ["prefill_max_match", ""],
  ["prefill_server", "prefill_addr"],
  ["promt_tks", ""],
  ["rcved", ""],
  ["start", ""],
  ["tknized", ""],
  ["to_d", ""],
  ["to_p", ""],
  ["tpot", ""],
  ["ttft", "ttft_ms"],
  ["wait_d", ""],
  ["wait_p", ""],
  ["1st_tk", "ttft_ms"],
]);
const foreignFamilies = /^(?:ssl|geoip|sent_trailer|upstream_(?:cookie|trailer))_./;

export class Variables {
  readonly #own = new Set<string>();
  readonly #used: { readonly name: string; readonly word: Word; readonly isLog: boolean }[] = [];

  /** @throws DirectiveError if no configuration can define this variable */
  declare(name: string, word: Word): void {
    if (isReservedVariable(name)) {
      throw new DirectiveError(
        `the duplicate "${name}" variable`,
        word.position,
        "choose another name",
      );
    }
    this.#own.add(name.toLowerCase());
  }

  /**
   * Notes the variables that a text contains.
   * @param isLog of a log's format, where those of the original only have a notice
   * @throws DirectiveError if it is no valid template
   */
  use(word: Word, text: string = word.text, isLog = false): string {
    try {
      for (const { variable } of parseTemplate(isLog ? withoutFirstToken(text) : text)) {
        if (variable !== undefined) this.#used.push({ name: variable.toLowerCase(), word, isLog });
      }
    } catch (error) {
      if (!(error instanceof TemplateError)) throw error;
      const unclosed = /^\$\{(\w+)/.exec(text.slice(error.offset))?.[1];
      const message =
        unclosed === undefined
          ? "invalid variable name"
          : `the closing bracket in "${unclosed}" variable is missing`;
      throw new DirectiveError(message, word.position);
    }
    return text;
  }

  /** A log's format with variables of this proxy in place of the original's; "-" for those that have no counterpart. */
  inLog(format: string): string {
    return withoutFirstToken(format).replaceAll(/\$(?:(\w+)|\{(\w+)\})/g, (all, plain, braced) => {
      const name = ((plain ?? braced) as string).toLowerCase();
      const replacement = this.#isKnown(name) ? undefined : originalVariables.get(name);
      if (replacement === undefined) return all;
      return replacement === "" ? "-" : `\${${replacement}}`;
    });
  }

  checkUses(report: Report): void {
    const reported = new Set<string>();
    for (const { name, word, isLog } of this.#used) {
      if (this.#isKnown(name) || reported.has(name)) continue;
      reported.add(name);
      const original = originalVariables.get(name);
      if (isLog && original !== undefined) {
        const what = original === "" ? 'not known here: it is "-"' : `$${original} here`;
        report.notice(`variable ${name}`, word.position, `the "${name}" variable is ${what}`);
        continue;
      }
      const replacement = foreignVariables.get(name) ?? original;
      if (replacement !== undefined || foreignFamilies.test(name)) {
        const hint = replacement ? `use $${replacement}` : undefined;
        report.emerg(word.position, `the "${name}" variable is not supported yet`, hint);
      } else {
        const hint = didYouMean(name, this.#names())?.replace('"', '"$');
        report.emerg(word.position, `unknown "${name}" variable`, hint);
      }
    }
  }

  #isKnown(name: string): boolean {
    return /^[1-9]$/.test(name) || this.#own.has(name) || isBuiltInVariable(name);
  }

  #names(): string[] {
    return [...this.#own, ...variableNames.filter((name) => !name.endsWith("_"))];
  }
}

/** `$1st_tk` of the original, which a template reads as `$1` and a text. */
function withoutFirstToken(format: string): string {
  return format.replaceAll(/\$1st_tk\b/g, (name) => `\${${name.slice(1)}}`);
}

/** Variables that a configuration defines and uses. Each must be defined, but may be used before that. */
import { didYouMean } from "../../problems/suggest.ts";
import { parseTemplate, TemplateError } from "../../values/template.ts";
import { isBuiltInVariable, variableNames } from "../../values/variables.ts";
import type { Word } from "../syntax/lexer.ts";
import { DirectiveError, type Report } from "../syntax/report.ts";

/**
 * Variables of nginx, of its usual modules and of the original that do not exist here, with those to use instead. "" =
 * there is none.
 */
const foreignVariables: ReadonlyMap<string, string> = new Map([
  ["document_root", ""],
  ["gzip_ratio", ""],
  ["https", ""],
  ["limit_rate", ""],
  ["proxy_protocol_addr", ""],
  ["proxy_protocol_port", ""],
  ["realip_remote_addr", "remote_addr"],
  ["realip_remote_port", "remote_port"],
  ["realpath_root", ""],
  ["request_body", ""],
  ["request_body_file", ""],
  ["request_filename", ""],
  ["tcpinfo_rtt", ""],
  ["upstream_cache_status", ""],
  ["upstream_queue_time", ""],
  ["apc", ""],
  ["cmplt_tks", ""],
  ["cont_rcved", ""],
  ["d_sched", ""],
  ["d_send", ""],
  ["decode_idx", "decode_addr"],
  ["decode_max_match", ""],
  ["decode_server", "decode_addr"],
  ["decoded_tks", ""],
  ["e2e", "request_time"],
  ["latency", "request_time"],
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
  readonly #used: { readonly name: string; readonly word: Word }[] = [];

  /** @throws DirectiveError if a built-in variable has this name */
  declare(name: string, word: Word): void {
    if (isBuiltInVariable(name)) {
      throw new DirectiveError(
        `the duplicate "${name}" variable`,
        word.position,
        "choose another name",
      );
    }
    this.#own.add(name);
  }

  /**
   * Notes the variables that a text contains.
   * @throws DirectiveError if it is no valid template
   */
  use(word: Word, text: string = word.text): string {
    try {
      for (const { variable } of parseTemplate(text)) {
        if (variable !== undefined) this.#used.push({ name: variable, word });
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

  checkUses(report: Report): void {
    const reported = new Set<string>();
    for (const { name, word } of this.#used) {
      if (this.#isKnown(name) || reported.has(name)) continue;
      reported.add(name);
      const replacement = foreignVariables.get(name);
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

/** The manual page, in the language of man(7). */
import type { ProgramCommand, ProgramOption } from "./program.ts";

export function manPage(program: ProgramCommand, version: string): string {
  const { about, options, commands } = program;
  return [
    `.TH GLOBAL-PROXY 1 "" "global-proxy ${version}" "User Commands"`,
    ".ad l",
    ".SH NAME",
    escaped(`global-proxy - ${about}`),
    ".SH SYNOPSIS",
    ".B global-proxy\n\\-c FILE | \\-\\-prefill URL... \\-\\-decode URL... | COMMAND",
    ".SH DESCRIPTION",
    "Serves a configuration file, nginx.conf or YAML, or what the options say, until a signal ends it.",
    ".SH OPTIONS",
    ...options.map(optionText),
    ".SH COMMANDS",
    ...commands.flatMap((command) => commandText(command, "")),
    ".SH EXIT STATUS",
    "0 = done; 1 = wrong usage, or it has failed; 3 = what was asked or waited for is not so.",
    ".SH ENVIRONMENT",
    ".TP\n.B GLOBAL_PROXY_ADMIN\nThe admin listener of a running proxy: PORT, HOST:PORT or a URL.",
    ".TP\n.B GLOBAL_PROXY_ADMIN_TOKEN\nIts token.",
    "",
  ].join("\n");
}

function commandText(command: ProgramCommand, before: string): string[] {
  const { name, usage, about, options, commands } = command;
  return [
    `.SS ${escaped(`${before}${usage}`)}`,
    escaped(about),
    ...options.map(optionText),
    ...commands.flatMap((one) => commandText(one, `${before}${name} `)),
  ];
}

function optionText({ term, about }: ProgramOption): string {
  return `.TP\n.B ${escaped(term)}\n${escaped(about)}`;
}

/** A hyphen that is meant stands as it is typed, and no line begins with a control character. */
function escaped(text: string): string {
  return text
    .replace(/\\/g, "\\e")
    .replace(/-/g, "\\-")
    .replace(/^([.'])/gm, "\\&$1");
}

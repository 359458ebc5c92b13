/** The whole program as plain data, for what is written from it: completion scripts and the man page. */
import type { Argument, Command, Option } from "commander";
import { flagsCommand } from "../options/flag-options.ts";

export interface ProgramOption {
  /** `--json`, and `-c` if there is one. */
  readonly names: readonly string[];
  /** As in the help: `-c, --config <file>`. */
  readonly term: string;
  readonly about: string;
  /** Empty = any text, if it takes a value. */
  readonly choices: readonly string[];
  readonly takesValue: boolean;
}

export interface ProgramCommand {
  readonly name: string;
  /** With its arguments: `explain <id>`. */
  readonly usage: string;
  readonly about: string;
  readonly options: readonly ProgramOption[];
  /** What its argument may be; empty = any text, or it has none. */
  readonly choices: readonly string[];
  readonly commands: readonly ProgramCommand[];
}

/** @param commands all that it has */
export function programOf(commands: readonly Command[]): ProgramCommand {
  const flags = flagsCommand().options.map(optionOf);
  const about =
    "a proxy and scheduler for LLM inference with prefill and decode on different engines";
  const own = { name: "global-proxy", usage: "global-proxy", about, choices: [] };
  return { ...own, options: flags, commands: commands.map(commandOf) };
}

function commandOf(command: Command): ProgramCommand {
  const args = command.registeredArguments;
  return {
    name: command.name(),
    usage: [command.name(), ...args.map(argumentText)].join(" "),
    about: command.description(),
    options: [...command.options.map(optionOf), help],
    choices: args[0]?.argChoices ?? [],
    commands: command.commands.map(commandOf),
  };
}

const help: ProgramOption = {
  names: ["--help"],
  term: "--help",
  about: "display help",
  choices: [],
  takesValue: false,
};

function argumentText(argument: Argument): string {
  return argument.required ? `<${argument.name()}>` : `[${argument.name()}]`;
}

function optionOf({
  short,
  long,
  flags,
  description,
  argChoices,
  required,
  optional,
}: Option): ProgramOption {
  return {
    names: [short, long].filter((name) => name !== undefined),
    term: flags,
    about: description,
    choices: argChoices ?? [],
    takesValue: required || optional,
  };
}

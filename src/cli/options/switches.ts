/**
 * nginx's single-dash switches, by nginx's rules: letters may be joined, and a value may follow its letter directly.
 */
import { didYouMean } from "../../config/problems/suggest.ts";
import { type SignalName, signalNames } from "../../control/process/send-signal.ts";

export interface Switches {
  help: boolean;
  /** `-v` and `-V`. */
  version: boolean;
  details: boolean;
  test: boolean;
  dump: boolean;
  quiet: boolean;
  file?: string;
  prefix?: string;
  directives?: string;
  signal?: SignalName;
}

const valueNames = {
  c: "file name",
  p: "directory name",
  g: "parameter",
  s: "parameter",
} as const;

/** @returns the switches and the other words (flags with two dashes and their values), or what is wrong */
export function parseSwitches(
  args: readonly string[],
): { readonly switches: Switches; readonly rest: readonly string[] } | { readonly error: string } {
  const switches: Switches = {
    help: false,
    version: false,
    details: false,
    test: false,
    dump: false,
    quiet: false,
  };
  const rest: string[] = [];
  for (let i = 0; i < args.length; i += 1) {
    const arg = args[i]!;
    if (!arg.startsWith("-") || arg.startsWith("--")) {
      rest.push(arg);
      continue;
    }
    for (let at = 1; at < arg.length; at += 1) {
      const letter = arg[at]!;
      if (setSimple(switches, letter)) continue;
      if (!(letter in valueNames)) return { error: `invalid option: "${letter}"` };
      // The rest of the word, or else the next word, is the value.
      const joined = arg.slice(at + 1);
      if (joined === "") i += 1;
      const value = joined === "" ? args[i] : joined;
      const error = setValue(switches, letter as keyof typeof valueNames, value);
      if (error !== undefined) return { error };
      break;
    }
  }
  return { switches, rest };
}

function setSimple(switches: Switches, letter: string): boolean {
  switch (letter) {
    case "?":
    case "h":
      switches.help = true;
      return true;
    case "v":
      switches.version = true;
      return true;
    case "V":
      switches.version = true;
      switches.details = true;
      return true;
    case "t":
      switches.test = true;
      return true;
    case "T":
      switches.test = true;
      switches.dump = true;
      return true;
    case "q":
      switches.quiet = true;
      return true;
    default:
      return false;
  }
}

function setValue(
  switches: Switches,
  letter: keyof typeof valueNames,
  value: string | undefined,
): string | undefined {
  if (value === undefined || value === "") {
    return `option "-${letter}" requires ${valueNames[letter]}`;
  }
  if (letter === "c") switches.file = value;
  else if (letter === "p") switches.prefix = value;
  else if (letter === "g") switches.directives = value;
  else {
    const signal = signalNames.find((name) => name === value);
    if (signal === undefined) {
      const hint = didYouMean(value, signalNames);
      return `invalid option: "-s ${value}"${hint === undefined ? "" : ` (${hint})`}`;
    }
    switches.signal = signal;
  }
  return undefined;
}

/** Scripts with which shells complete the program's commands, options and their values. */
import type { ProgramCommand, ProgramOption } from "./program.ts";

export const shells = ["bash", "zsh", "fish"] as const;
export type Shell = (typeof shells)[number];

export function completionScript(shell: Shell, program: ProgramCommand): string {
  if (shell === "fish") return fishScript(program);
  const script = bashScript(program);
  return shell === "bash"
    ? script
    : `#compdef global-proxy\nautoload -U +X bashcompinit && bashcompinit\n${script}`;
}

/** Where nothing of the program fits, files are completed. */
function bashScript(program: ProgramCommand): string {
  const all = withPaths(program, "");
  const known = all.flatMap(([path, { commands }]) =>
    commands.map(({ name }) => `"${path} ${name}"`),
  );
  const words = all.map(([path, { commands, choices, options }]) => {
    const names = [
      ...commands.map(({ name }) => name),
      ...choices,
      ...options.flatMap((one) => one.names),
    ];
    return `    "${path}") words="${names.join(" ")}" ;;`;
  });
  const values = all.flatMap(([path, { options }]) =>
    options
      .filter(({ takesValue }) => takesValue)
      .map((option) => {
        const patterns = option.names.map((name) => `"${path} ${name}"`).join("|");
        return `    ${patterns}) words="${option.choices.join(" ")}" ;;`;
      }),
  );
  return `_global_proxy() {
  local current="\${COMP_WORDS[COMP_CWORD]}" previous="\${COMP_WORDS[COMP_CWORD-1]}" command="" words="" word
  for word in "\${COMP_WORDS[@]:1:COMP_CWORD-1}"; do
    case "$command $word" in
      ${known.join("|")}) command="$command $word" ;;
    esac
  done
  case "$command" in
${words.join("\n")}
  esac
  case "$command $previous" in
${values.join("\n")}
  esac
  COMPREPLY=($(compgen -W "$words" -- "$current"))
}
complete -o default -F _global_proxy global-proxy
`;
}

/** Each command with the words that lead to it: `" config diff"`. */
function withPaths(command: ProgramCommand, path: string): (readonly [string, ProgramCommand])[] {
  const below = command.commands.flatMap((one) => withPaths(one, `${path} ${one.name}`));
  return [[path, command], ...below];
}

function fishScript(program: ProgramCommand): string {
  const line = (condition: string, rest: string, about: string) =>
    `complete -c global-proxy -n ${quoted(condition)} ${rest} -d ${quoted(about)}\n`;
  const optionLine = (condition: string, { names, about, choices, takesValue }: ProgramOption) => {
    const flags = names.map((name) =>
      name.startsWith("--") ? `-l ${name.slice(2)}` : `-s ${name.slice(1)}`,
    );
    const value =
      choices.length > 0 ? ` -xa ${quoted(choices.join(" "))}` : takesValue ? " -r" : "";
    return line(condition, flags.join(" ") + value, about);
  };
  const all = withPaths(program, "").flatMap(([path, { commands, options, choices }]) => {
    const words = path.trim().split(" ").filter(Boolean);
    const here =
      words.length === 0
        ? "__fish_use_subcommand"
        : words.map((word) => `__fish_seen_subcommand_from ${word}`).join("; and ");
    return [
      ...commands.map(({ name, about }) => line(here, `-fa ${name}`, about)),
      ...(choices.length > 0 ? [line(here, `-fa ${quoted(choices.join(" "))}`, "")] : []),
      ...options.map((option) => optionLine(here, option)),
    ];
  });
  return all.join("");
}

function quoted(text: string): string {
  return `'${text.replace(/[\\']/g, "\\$&")}'`;
}

/** `global-proxy completion` and `man`: what shells and readers know of the program. */
import { Argument, Command } from "commander";
import { print } from "../print.ts";
import { completionScript, type Shell, shells } from "../program/completion.ts";
import { manPage } from "../program/man-page.ts";
import { programOf } from "../program/program.ts";
import { version } from "../version.ts";

/** Loads all commands of the program. */
type Commands = () => Promise<readonly Command[]>;
type OnCode = (code: number) => void;

export function completionCommand(all: Commands, onCode: OnCode): Command {
  return new Command("completion")
    .description("print a script with which a shell completes commands and options")
    .addArgument(new Argument("<shell>", "which one").choices(shells))
    .action(async (shell: Shell) => {
      print(completionScript(shell, programOf(await all())));
      onCode(0);
    });
}

export function manCommand(all: Commands, onCode: OnCode): Command {
  return new Command("man")
    .description("print the manual page: global-proxy man | man -l -")
    .action(async () => {
      print(manPage(programOf(await all()), version));
      onCode(0);
    });
}

/** `global-proxy probe`: whether a running proxy lives, or is ready, as an exit code, where there is no `curl`. */
import { Argument, type Command, InvalidArgumentError } from "commander";
import { visibleLines } from "../../observe/visible.ts";
import {
  type AdminCommandSwitches,
  adminCommand,
  exitCodes,
  withAdmin,
} from "../admin/admin-command.ts";
import { print, printMessage } from "../print.ts";

interface Switches extends AdminCommandSwitches {
  readonly timeout: number;
}

const paths = { live: "/admin/live", ready: "/admin/health" } as const;

export function probeCommand(onCode: (code: number) => void): Command {
  return adminCommand(
    "probe",
    "say by the exit code whether a running proxy lives, or is ready to serve",
  )
    .addArgument(
      new Argument("<what>", "live: as /admin/live; ready: as /admin/health").choices(
        Object.keys(paths),
      ),
    )
    .option("--timeout <seconds>", "how long to wait for the response", seconds, 5)
    .action((what: keyof typeof paths, switches: Switches) =>
      withAdmin(
        switches,
        onCode,
        async (client) => {
          const response = await client.ask("GET", paths[what]);
          if (response.status === 200) print(`${visibleLines(response.text.trim())}\n`);
          else printMessage("error", client.problemOf(paths[what], response));
          return response.status === 200 ? exitCodes.done : exitCodes.failed;
        },
        switches.timeout * 1_000,
      ),
    );
}

function seconds(text: string): number {
  const value = Number(text);
  if (text.trim() !== "" && value > 0 && value <= 3_600) return value;
  throw new InvalidArgumentError("It must be a number of seconds, at most 3600.");
}

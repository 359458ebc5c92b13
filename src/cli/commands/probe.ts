/** `global-proxy probe`: whether a running proxy lives, or is ready, as an exit code, where there is no `curl`. */
import { Argument, Command, InvalidArgumentError } from "commander";
import { AdminClient, AdminFailure, type AdminSwitches, addAdminOptions } from "../admin-client.ts";
import { print, printMessage } from "../print.ts";

interface Switches extends AdminSwitches {
  readonly timeout: number;
}

const paths = { live: "/admin/live", ready: "/admin/health" } as const;

export function probeCommand(onCode: (code: number) => void): Command {
  const command = new Command("probe")
    .description("say by the exit code whether a running proxy lives, or is ready to serve")
    .addArgument(
      new Argument("<what>", "live: as /admin/live; ready: as /admin/health").choices(
        Object.keys(paths),
      ),
    );
  return addAdminOptions(command)
    .option("--timeout <seconds>", "how long to wait for the response", seconds, 5)
    .action(async (what: keyof typeof paths, switches: Switches) => {
      try {
        const client = new AdminClient(switches, switches.timeout * 1_000);
        const response = await client.ask("GET", paths[what]);
        if (response.status === 200) print(`${response.text.trim()}\n`);
        else printMessage("error", client.problemOf(paths[what], response));
        onCode(response.status === 200 ? 0 : 1);
      } catch (error) {
        if (!(error instanceof AdminFailure)) throw error;
        printMessage("error", error.message);
        onCode(1);
      }
    });
}

function seconds(text: string): number {
  const value = Number(text);
  if (text.trim() !== "" && value > 0 && value <= 3_600) return value;
  throw new InvalidArgumentError("It must be a number of seconds, at most 3600.");
}

/** What commands that ask a running proxy share: their options, their errors, and what a shell gets. */
import { Command } from "commander";
import { visibleIn, visibleJson } from "../../observe/visible.ts";
import { print, printMessage } from "../print.ts";
import { AdminClient } from "./admin-client.ts";
import { AdminFailure } from "./admin-failure.ts";
import { type AdminSwitches, addAdminOptions, findAdmin } from "./find-admin.ts";

/** What a shell gets; `unmet` = what was waited or asked for is not so. */
export const exitCodes = { done: 0, failed: 1, unmet: 3 } as const;

export interface AdminCommandSwitches extends AdminSwitches {
  readonly json?: boolean;
}

const askTimeoutMs = 10_000;

export function adminCommand(name: string, description: string): Command {
  const command = new Command(name).description(description);
  return addAdminOptions(command).option("--json", "print what the proxy says as JSON");
}

/** Runs a command with its client. @param action @returns the exit code */
export async function withAdmin(
  switches: AdminSwitches,
  onCode: (code: number) => void,
  action: (client: AdminClient) => Promise<number>,
  timeoutMs = askTimeoutMs,
): Promise<void> {
  try {
    onCode(await action(new AdminClient(await findAdmin(switches), timeoutMs)));
  } catch (error) {
    if (!(error instanceof AdminFailure)) throw error;
    printMessage("error", error.message);
    onCode(exitCodes.failed);
  }
}

/** JSON where it is asked for, else a text. @param text of the value, whose strings no terminal obeys */
export function show<Value extends object>(
  switches: AdminCommandSwitches,
  value: Value,
  text: (value: Value) => string,
): void {
  print(switches.json === true ? visibleJson(value) : text(visibleIn(value)));
}

/** `global-proxy config`, `reload` and `log-level`: the configuration of a running proxy. */
import { Argument, Command } from "commander";
import type { ConfigProblem } from "../../config/problems/problem.ts";
import { formatProblem } from "../../config/problems/problem.ts";
import type { ConfigChange } from "../../config/values/config-changes.ts";
import { logLevels } from "../../config/values/log-levels.ts";
import type { AdminClient } from "../admin/admin-client.ts";
import {
  type AdminCommandSwitches,
  adminCommand,
  exitCodes,
  show,
  withAdmin,
} from "../admin/admin-command.ts";
import { AdminFailure } from "../admin/admin-failure.ts";

interface Changes {
  readonly changes: readonly ConfigChange[];
  readonly untold?: number;
  readonly warnings: readonly string[];
}

interface Refused {
  readonly error?: { readonly message: string };
  readonly problems?: readonly ConfigProblem[];
}

interface DiffSwitches extends AdminCommandSwitches {
  readonly exitCode?: boolean;
}

/** A reload waits for engines to be asked for their attributes. */
const reloadTimeoutMs = 120_000;

export function configCommand(onCode: (code: number) => void): Command {
  const diff = adminCommand(
    "diff",
    "say what a reload would change: the file as it is now against what is in force",
  )
    .option("--exit-code", `exit with ${exitCodes.unmet} if it would change something`)
    .action((switches: DiffSwitches) =>
      withAdmin(switches, onCode, async (client) => {
        const changes = await changesOf(client, "GET", "/admin/config/diff", switches);
        if (changes === undefined) return exitCodes.failed;
        show(switches, changes, (said) => changesText(said, "a reload would change nothing"));
        return switches.exitCode && changes.changes.length > 0 ? exitCodes.unmet : exitCodes.done;
      }),
    );
  const shown = adminCommand(
    "show",
    "print the configuration in force as JSON, with all defaults",
  ).action((switches: AdminCommandSwitches) =>
    withAdmin(switches, onCode, async (client) => {
      show({ ...switches, json: true }, await client.get("GET", "/admin/config"), String);
      return exitCodes.done;
    }),
  );
  return new Command("config")
    .description("show the configuration of a running proxy, or what a reload would change")
    .addCommand(diff)
    .addCommand(shown);
}

export function reloadCommand(onCode: (code: number) => void): Command {
  return adminCommand(
    "reload",
    "let a running proxy read its configuration again; on any error the old one stays",
  ).action((switches: AdminCommandSwitches) =>
    withAdmin(
      switches,
      onCode,
      async (client) => {
        const changes = await changesOf(client, "POST", "/admin/reload", switches);
        if (changes === undefined) return exitCodes.failed;
        show(switches, changes, (said) => changesText(said, "reloaded: nothing has changed"));
        return exitCodes.done;
      },
      reloadTimeoutMs,
    ),
  );
}

export function logLevelCommand(onCode: (code: number) => void): Command {
  return adminCommand(
    "log-level",
    "show or set the level of the error log of a running proxy, until the next reload",
  )
    .addArgument(new Argument("[level]", "the least severe that is written").choices(logLevels))
    .action((level: string | undefined, switches: AdminCommandSwitches) =>
      withAdmin(switches, onCode, async (client) => {
        const now = await (level === undefined
          ? client.get<{ level: string; configured: string }>("GET", "/admin/log-level")
          : client.get<{ level: string; configured: string }>("PUT", "/admin/log-level", {
              body: { level },
            }));
        show(switches, now, ({ level, configured }) => {
          const until = level === configured ? "" : ` (${configured} after the next reload)`;
          return `${level}${until}\n`;
        });
        return exitCodes.done;
      }),
    );
}

/** Undefined = there are errors, which have been printed as JSON. Throws `AdminFailure` where they are to be read. */
async function changesOf(
  client: AdminClient,
  method: string,
  path: string,
  switches: AdminCommandSwitches,
): Promise<Changes | undefined> {
  const said = await client.get<Changes & Refused>(method, path, { allowed: [422] });
  const { error, problems = [] } = said;
  if (error === undefined) return said;
  if (switches.json === true) {
    show(switches, said, String);
    return undefined;
  }
  throw new AdminFailure([...problems.map(formatProblem), error.message].join("\n"));
}

function changesText({ changes, untold = 0, warnings }: Changes, none: string): string {
  const value = (one: unknown) => JSON.stringify(one) ?? "";
  const lines = changes.map(({ path, before, after }) => {
    if (after === undefined) return `- ${path}: ${value(before)}`;
    if (before === undefined) return `+ ${path}: ${value(after)}`;
    return `~ ${path}: ${value(before)} -> ${value(after)}`;
  });
  if (untold > 0) lines.push(`and ${untold} more`);
  const all = [...(lines.length > 0 ? lines : [none]), ...warnings.map((one) => `warning: ${one}`)];
  return `${all.join("\n")}\n`;
}

/** `key`: makes an API key for a tenant, and the line for the file of keys. */
import { randomBytes } from "node:crypto";
import { Argument, Command, InvalidArgumentError } from "commander";
import { isTenantName, keyLine } from "../../config/values/key-file.ts";
import { tenantNameBytesMax } from "../../limits.ts";
import { print, printError } from "../print.ts";

/** Of a key: nobody finds it by trying. */
const keyBytes = 32;

export function keyCommand(onCode: (code: number) => void): Command {
  return new Command("key")
    .description(
      "make an API key: its line for the file of keys on stdout, the key itself on stderr",
    )
    .addArgument(new Argument("<tenant>", "whose key it is").argParser(tenant))
    .argument("[note...]", "what else the line is to say, such as who has the key")
    .action((name: string, note: readonly string[]) => {
      const key = `sk-gp-${randomBytes(keyBytes).toString("base64url")}`;
      print(keyLine(key, name, note.join(" ").replace(/\s+/g, " ").trim()));
      printError(`${key}\n(shown only now: the line for the file has nothing but its hash)\n`);
      onCode(0);
    });
}

function tenant(name: string): string {
  if (isTenantName(name)) return name;
  const most = `${tenantNameBytesMax} characters of ASCII without spaces`;
  throw new InvalidArgumentError(`It must be up to ${most}.`);
}

/** Runs one http block in nginx and in our own code, and asks both the same. */
import { afterAll, beforeAll, expect, test } from "vitest";
import type { VirtualServers } from "../../../src/proxy/routing/virtual-servers.ts";
import { compile, configOf, type Seen, see } from "./compiled.ts";
import { ask, get, type Nginx, startNginx } from "./nginx-oracle.ts";

/** Pools that configurations under test may name: what `engines` gets is answered, `dead` never answers. */
const pools = `
  upstream engines { server unix:%dir%/engines.sock; }
  upstream others { server unix:%dir%/others.sock; }
  upstream dead { server unix:%dir%/dead.sock; }
`;

const engines = ["engines", "others"]
  .map(
    (name) => `server { listen unix:%dir%/${name}.sock; return 200 "${name} gets $request_uri"; }`,
  )
  .join("\n");

export class Both {
  #nginx!: Nginx;
  #servers!: VirtualServers;

  /** For the tests of the `describe` around it. @param http its servers listen on `unix:%dir%/main.sock` */
  static forTests(http: string): Both {
    const both = new Both();
    beforeAll(async () => {
      const config = configOf(`${pools}\n${http}`.replaceAll("%dir%", "/nowhere"));
      both.#servers = compile(config);
      both.#nginx = await startNginx(`${pools}\n${engines}\n${http}`);
    });
    afterAll(() => both.#nginx?.stop());
    return both;
  }

  /** One test for each target. */
  agreeOn(targets: readonly string[]): void {
    test.each(targets)("%s", async (target) => {
      expect(this.ours(get(target))).toEqual(await this.theirs(get(target)));
    });
  }

  ours(text: string): Seen {
    return see(this.#servers, text);
  }

  async theirs(text: string): Promise<Seen> {
    const { status, fields, body } = await ask({ path: `${this.#nginx.dir}/main.sock` }, text);
    const { location } = fields;
    // Bodies that nginx writes itself are pages of its own.
    const own = body.startsWith("<html>") || location !== undefined;
    return own ? { status, location } : { status, body };
  }
}

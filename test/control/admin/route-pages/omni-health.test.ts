/** Clients cannot have engines asked as often as they like. */
import { once } from "node:events";
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { expect, test } from "vitest";
import { omniHealth } from "../../../../src/control/admin/route-pages/omni-health.ts";
import { askEngine } from "../../../../src/control/polling/ask-engine.ts";

test("engines are asked once for all who ask at one time, and again for the next", async () => {
  let asked = 0;
  const server = createServer((_, response) => {
    asked += 1;
    response.end();
  });
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  const { port } = server.address() as AddressInfo;
  try {
    const address = { key: `127.0.0.1:${port}`, host: "127.0.0.1", port };
    const endpoints = [{ role: "decode", index: 0, address, engines: [] }] as const;
    const pages = await Promise.all([
      omniHealth(endpoints, askEngine, 0),
      omniHealth(endpoints, askEngine, 0),
    ]);
    expect(asked).toBe(1);
    expect(pages[0]).toBe(pages[1]);
    expect(pages[0]!.status).toBe(200);
    await omniHealth(endpoints, askEngine, 0);
    expect(asked).toBe(2);
  } finally {
    server.close();
  }
});

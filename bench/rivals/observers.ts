/** Who looks at a rival meanwhile: pages of its dashboard, and a collector of its traces, both in this process. */

import { createServer, get } from "node:http";
import type { AddressInfo } from "node:net";

export interface Observer {
  close(): void;
}

/** So many pages, which read all that they are sent. Rejects if one is not served. */
export async function openPages(adminPort: number, pages: number): Promise<Observer> {
  const open = Array.from({ length: pages }, () => openStream(adminPort));
  const requests = await Promise.all(open);
  return {
    close: () => {
      for (const request of requests) request.destroy();
    },
  };
}

function openStream(port: number): Promise<ReturnType<typeof get>> {
  return new Promise((resolve, reject) => {
    const request = get({ port, host: "127.0.0.1", path: "/admin/stream", agent: false });
    request.on("error", reject);
    request.on("response", (response) => {
      response.on("error", () => {});
      response.resume();
      if (response.statusCode === 200) resolve(request);
      else reject(new Error(`/admin/stream responds with ${response.statusCode}`));
    });
  });
}

/** Takes spans and forgets them. */
export async function startCollector(): Promise<Observer & { readonly url: string }> {
  const server = createServer((request, response) => {
    request.resume();
    request.on("end", () => response.end("{}"));
  });
  await new Promise<void>((done) => void server.listen(0, "127.0.0.1", done));
  const { port } = server.address() as AddressInfo;
  const close = () => {
    server.close();
    server.closeAllConnections();
  };
  return { url: `http://127.0.0.1:${port}`, close };
}

/** How requests are read. */
import { get, type Subject } from "../harness/case.ts";

export const requests: Subject = {
  subject: "requests",
  cases: [
    { name: "a plain request reaches the engine as the client sent it", request: get("/a?b") },
    { name: "an empty line before the request line", request: `\r\n${get("/a")}` },
    {
      name: "a path that no location has",
      conf: "location /a { return 204; }",
      log: "$status $request",
    },
    { name: "a directive that neither knows", conf: "nonsense;" },
  ],
};

/** All subjects of the wire suite: a file each, a line each. */
import type { Subject } from "../harness/case.ts";
import { access } from "./access.ts";
import { accessLogs } from "./access-logs.ts";
import { addedHeaders } from "./added-headers.ts";
import { connections } from "./connections.ts";
import { content } from "./content.ts";
import { fileCases } from "./files.ts";
import { hiddenHeaders } from "./hidden-headers.ts";
import { limits } from "./limits.ts";
import { nextUpstream } from "./next-upstream.ts";
import { redirects } from "./redirects.ts";
import { replacedErrors } from "./replaced-errors.ts";
import { requests } from "./requests.ts";
import { returns } from "./returns.ts";
import { rewrites } from "./rewrites.ts";
import { upgrades } from "./upgrades.ts";
import { variables } from "./variables.ts";

export const subjects: readonly Subject[] = [
  access,
  accessLogs,
  addedHeaders,
  connections,
  content,
  fileCases,
  hiddenHeaders,
  limits,
  nextUpstream,
  redirects,
  replacedErrors,
  requests,
  returns,
  rewrites,
  upgrades,
  variables,
];

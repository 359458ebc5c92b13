/** All subjects of the wire suite: a file each, a line each. */
import type { Subject } from "../harness/case.ts";
import { nextUpstream } from "./next-upstream.ts";
import { requests } from "./requests.ts";

export const subjects: readonly Subject[] = [nextUpstream, requests];

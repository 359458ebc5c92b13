export { freePortRun, freePorts } from "../../scripts/support/ports.mjs";

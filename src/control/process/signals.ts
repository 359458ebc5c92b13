/** What an instance does at each signal, as nginx's master process does. */
import type { Instance } from "./instance.ts";

/** @returns a function that removes the handlers */
export function handleSignals(instance: Instance): () => void {
  const actions: Partial<Record<NodeJS.Signals, () => void>> = {
    SIGTERM: () => void instance.stop(),
    SIGINT: () => instance.interrupt(),
    SIGQUIT: () => void instance.quit(),
    SIGHUP: () => void instance.reload(),
    // Node would otherwise open its debugger.
    SIGUSR1: () => instance.reopen(),
    SIGUSR2: () => instance.upgrade(),
  };
  const handlers = Object.entries(actions).map(([signal, action]) => {
    const handler = () => {
      instance.log.notice(`signal ${signal} received`);
      action();
    };
    process.on(signal, handler);
    return { signal, handler };
  });
  return () => {
    for (const { signal, handler } of handlers) process.off(signal, handler);
  };
}

/** A worker thread: serves the configuration that the main thread sends, until it has to stop. */
import { parentPort, workerData } from "node:worker_threads";
import type { Config } from "../../config/schema/schema.ts";
import { systemIds } from "../../dialects/shared/id-generator.ts";
import { deadlineTickMs, descriptorsLookAgainTicks } from "../../limits.ts";
import { AccessLogs } from "../../observe/access-log.ts";
import { ErrorLog } from "../../observe/error-log.ts";
import { MetricsMemory } from "../../observe/metrics/metrics-memory.ts";
import { loadPolicyModules } from "../../policies/custom-policy.ts";
import { RemoteQueue } from "../../queue/remote-queue.ts";
import { Scoreboard } from "../../scoreboard/scoreboard.ts";
import { TenantCounts } from "../../scoreboard/tenant-counts.ts";
import { ZoneCounts } from "../../scoreboard/zone-counts.ts";
import { systemClock } from "../../transport/clock.ts";
import { collectGarbage } from "../../transport/collect-garbage.ts";
import { descriptorReserve } from "../../transport/descriptor-reserve.ts";
import { platform } from "../../transport/platform.ts";
import { systemRandom } from "../../transport/random.ts";
import { readTurn } from "../../transport/read-turn.ts";
import { noTls } from "../../transport/tls/settings.ts";
import { CallbackListener } from "../client/callback-listener.ts";
import { Listeners } from "../client/listeners.ts";
import type { BoundAddress, FromWorker, ToWorker, WorkerData, WorkerQuestion } from "./messages.ts";
import { RemoteIssuer } from "./remote-issuer.ts";
import { RemotePages } from "./remote-pages.ts";
import { serverTlsOf } from "./server-tls.ts";
import { Worker } from "./worker.ts";

/** The configuration in force. */
let applied: Config | undefined;

type ApplyMessage = Extract<ToWorker, { type: "apply" }>;

const port = parentPort!;
const {
  workerIndex,
  workers,
  scoreboard,
  shadows,
  metrics,
  tenants,
  zones,
  heartbeats,
  inherited,
} = workerData as WorkerData;
const errorLog = new ErrorLog({
  file: "stderr",
  level: "error",
  thread: workerIndex + 1,
  sync: false,
  clock: systemClock,
});
const accessLogs = new AccessLogs((message) => errorLog.error(message), systemClock.wallMs);
const listeners = new Listeners(platform, inherited);
/** One worker alone holds its prompts by itself: that spares each of them two messages. */
const queue = workers > 1 ? new RemoteQueue((question) => say(question)) : undefined;
const pages = new RemotePages((question) => say(question));
const issuer = new RemoteIssuer(systemClock, say);
const worker = new Worker({
  transport: platform,
  clock: systemClock,
  board: new Scoreboard(scoreboard, workerIndex),
  shadowBoard: new Scoreboard(shadows, workerIndex),
  metrics: new MetricsMemory(metrics, workers, workerIndex),
  tenants: new TenantCounts(tenants, workers, workerIndex),
  zones: new ZoneCounts(zones, workers, workerIndex),
  random: systemRandom,
  ids: systemIds,
  collectGarbage,
  ...(queue && { queue }),
  pages,
  issuer,
  sendSpans: (batch) => say({ type: "spans", batch }),
  openLog: (file) => accessLogs.sink(file),
  log: (level, message, fields) => errorLog.log(level, message, fields),
});

const callbackListener = new CallbackListener(
  platform,
  worker.callbacks,
  { workerIndex, workers, takesOver: inherited !== undefined },
  (socket) => worker.acceptCaller(socket),
);

const beats = new Int32Array(heartbeats);
const beat = () => void Atomics.add(beats, workerIndex, 1);
readTurn.goesOn = beat;
const ticker = setInterval(() => {
  beat();
  worker.tick();
  lookForDescriptors();
}, deadlineTickMs);

let ticksToLook = 0;

function lookForDescriptors(): void {
  ticksToLook -= 1;
  if (ticksToLook > 0) return;
  const hasChanged = descriptorReserve.look();
  const { isExhausted } = descriptorReserve;
  ticksToLook = isExhausted ? descriptorsLookAgainTicks : 1;
  if (!hasChanged) return;
  if (isExhausted)
    errorLog.alert("no file descriptor is left: new clients are closed; raise ulimit -n");
  else errorLog.notice("file descriptors are left again: clients are accepted");
}

function say(message: FromWorker): void {
  port.postMessage(message);
}

function bound(): BoundAddress[] {
  return listeners
    .addresses()
    .map(({ host, port: number, path }) =>
      path === undefined ? { host, port: number } : { unixPath: path },
    );
}

async function apply(message: ApplyMessage): Promise<void> {
  const { config, generation, slots, discovered, credentials } = message;
  let callback: Awaited<ReturnType<CallbackListener["prepare"]>> | undefined;
  let prepared: Awaited<ReturnType<Listeners["prepare"]>> | undefined;
  try {
    await loadPolicyModules(Object.values(config.pools));
    callback = await callbackListener.prepare(config);
    const tls = serverTlsOf(config, credentials.tls ?? noTls);
    prepared = await listeners.prepare(config, (socket, key) => worker.accept(socket, key), tls);
    errorLog.configure(config.errorLog);
    worker.apply(config, slots, credentials);
    worker.applyDiscovered(discovered);
    callback.commit();
    prepared.commit();
    applied = config;
    accessLogs.keepOnly(logFiles(config));
    say({ type: "listening", generation, addresses: bound() });
  } catch (error) {
    callback?.undo();
    prepared?.undo();
    const { message, code = "GP_INTERNAL" } = error as NodeJS.ErrnoException;
    say({ type: "failed", generation, message, code });
  }
}

function logFiles(config: Config): ReadonlySet<string> {
  const routes = config.servers.flatMap((server) => server.routes);
  const files = new Set(routes.flatMap(({ accessLogs: logs }) => logs.map(({ file }) => file)));
  if (config.record !== undefined) files.add(config.record.file);
  return files;
}

function responseTo(question: WorkerQuestion): unknown {
  return question.about === "sockets" ? listeners.sockets() : worker.tell(question);
}

function end(): void {
  clearInterval(ticker);
  listeners.closeAll();
  callbackListener.closeAll();
  worker.stop();
  accessLogs.close();
  errorLog.close();
  port.close();
}

port.on("message", (message: ToWorker) => {
  switch (message.type) {
    case "apply":
      void apply(message);
      break;
    case "queue-granted":
    case "queue-rejected":
    case "queue-found":
      queue?.receive(message);
      break;
    case "page":
      pages.receive(message);
      break;
    case "discovered":
      worker.applyDiscovered(message.discovered);
      break;
    case "credentials":
      worker.applyCredentials(message.credentials);
      listeners.useTls(serverTlsOf(applied!, message.credentials.tls ?? noTls));
      break;
    case "issuer-keys-asked":
      issuer.asked();
      break;
    case "question":
      say({ type: "response", id: message.id, response: responseTo(message.question) });
      break;
    case "drain":
      listeners.closeAll();
      void worker.drain(message.timeoutMs, message.idle).then(() => {
        accessLogs.flush();
        say({ type: "drained" });
      });
      break;
    case "stop":
      end();
      break;
    case "reopen":
      accessLogs.reopen();
      errorLog.reopen();
      break;
  }
});

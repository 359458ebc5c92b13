/** The address and the parameters of `listen`. */
import type { ConfigInput } from "../../../schema/schema.ts";
import { parameter } from "../../reading/arguments.ts";
import type { Scope } from "../../reading/scope.ts";
import { parseNumber, parseSize } from "../../reading/units.ts";
import type { Word } from "../../syntax/lexer.ts";

type ListenInput = ConfigInput["servers"][number]["listen"][number];

export interface Listen {
  readonly config: ListenInput;
  /** `0.0.0.0:80`: what nginx calls the address in its messages. */
  readonly key: string;
  /** Whether options of the socket are given: only one server may give them. */
  readonly setsOptions: boolean;
}

/** Ports that one range may stand for. */
const rangeMax = 1000;

export function readListen(args: readonly Word[], scope: Scope): Listen[] {
  const [address, ...parameters] = args as [Word, ...Word[]];
  const places = readAddress(address, scope);
  const options = readParameters(parameters, scope);
  return places.map(({ config, key }) => ({
    config: { ...config, ...options.config },
    key,
    setsOptions: options.setsOptions,
  }));
}

function readAddress(word: Word, scope: Scope): { config: ListenInput; key: string }[] {
  const { text } = word;
  const fail = (reason: string): never =>
    scope.fail(`${reason} in "${text}" of the "listen" directive`, word);
  if (text.startsWith("unix:")) {
    const path = text.slice("unix:".length);
    if (path === "") fail("no path in the unix domain socket");
    const unixPath = scope.socketPath(path);
    return [{ config: { unixPath }, key: `unix:${unixPath}` }];
  }
  const [, bracketed, plain, portText] =
    /^(?:\[([0-9A-Fa-f:.]+)\]|([^:[\]]*))(?::(.*))?$/.exec(text) ?? fail("invalid host");
  const portOnly = portText === undefined && /^\d+(-\d+)?$/.test(plain ?? "");
  const ports = portOnly ? plain! : (portText ?? "80");
  const [first, last] = readPorts(ports) ?? fail("invalid port");
  const name = portOnly || plain === "*" ? "0.0.0.0" : (bracketed ?? plain!);
  if (name === "") fail("no host");
  // A bare word is a host's name to nginx; what is no number and no address was most likely meant as something else.
  if (bracketed === undefined && !/^[\w.-]+$/.test(name)) fail("invalid host");
  return Array.from({ length: last - first + 1 }, (_, index) => {
    const port = first + index;
    const key = bracketed === undefined ? `${name}:${port}` : `[${name}]:${port}`;
    return { config: { host: name, port }, key };
  });
}

function readPorts(text: string): [number, number] | undefined {
  const [, from, to] = /^(\d{1,5})(?:-(\d{1,5}))?$/.exec(text) ?? [];
  const first = Number(from);
  const last = Number(to ?? from);
  const valid = first >= 1 && last <= 65_535 && first <= last && last - first < rangeMax;
  return valid ? [first, last] : undefined;
}

const rejectedParameters: ReadonlyMap<string, string> = new Map([
  ["quic", "HTTP/3"],
  ["spdy", "SPDY"],
  ["proxy_protocol", "the PROXY protocol"],
]);
const withoutEffect = /^(?:bind|deferred|(?:accept_filter|setfib|fastopen|ipv6only)=.+)$/;

function readParameters(words: readonly Word[], scope: Scope) {
  const config: Pick<ListenInput, "defaultServer" | "tls" | "http2" | "reusePort" | "backlog"> = {};
  let setsOptions = false;
  for (const word of words) {
    if (word.text === "default_server" || word.text === "default") {
      config.defaultServer = true;
      continue;
    }
    if (word.text === "ssl") {
      config.tls = true;
      continue;
    }
    if (word.text === "http2") {
      config.http2 = true;
      continue;
    }
    const rejected = rejectedParameters.get(word.text);
    if (rejected !== undefined) {
      scope.fail(`listening with ${rejected} ("${word.text}") is not supported yet`, word);
    }
    setsOptions = true;
    const backlog = parameter(word, "backlog");
    if (word.text === "reuseport") config.reusePort = true;
    else if (backlog !== undefined) config.backlog = readBacklog(word, backlog, scope);
    else checkWithoutEffect(word, scope);
  }
  return { config, setsOptions };
}

function readBacklog(word: Word, text: string, scope: Scope): number {
  const backlog = parseNumber(text) ?? 0;
  if (backlog === 0) scope.fail(`invalid backlog "${word.text}"`, word);
  return Math.min(backlog, 65_535);
}

function checkWithoutEffect(word: Word, scope: Scope): void {
  const name = word.text.replace(/=.*$/s, "");
  if (name === "rcvbuf" || name === "sndbuf") {
    const bytes = parseSize(parameter(word, name) ?? "");
    if (bytes === undefined) scope.fail(`invalid ${name} "${word.text}"`, word);
  } else if (name === "so_keepalive") {
    const value = parameter(word, name) ?? "";
    if (!/^(?:on|off|(?=.*\d)[\dsmhd]*:[\dsmhd]*:\d*)$/.test(value)) {
      scope.fail(`invalid so_keepalive value: "${value}"`, word);
    }
  } else if (!withoutEffect.test(word.text)) scope.fail(`invalid parameter "${word.text}"`, word);
  scope.notice(`"${name}" of "listen" has no effect here`, word, name);
}

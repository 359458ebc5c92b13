/** The help text: nginx's switches, the flags, the commands. */
import { flagsCommand } from "./options/flag-options.ts";

const switches = `Usage: global-proxy [-?hvVtTq] [-s signal] [-p prefix] [-c filename] [-g directives]
       global-proxy --prefill URL... --decode URL... [options]
       global-proxy --engine URL... [options]
       global-proxy check --prefill URL... --decode URL... | --engine URL... [options]
       global-proxy convert FILE | engine | demo | simulate TRACE | calibrate URL
       global-proxy status | engines | top | drain ENGINE | undrain ENGINE | requests | explain ID
       global-proxy config diff | config show | reload | log-level [LEVEL] | probe live|ready
       global-proxy key TENANT >> KEYFILE | completion bash|zsh|fish | man

Options:
  -?,-h         : this help
  -v            : show version and exit
  -V            : show version and runtime then exit
  -t            : test configuration and exit
  -T            : test configuration, dump it and exit
  -q            : suppress non-error messages during configuration testing
  -s signal     : send signal to a running instance: stop, quit, reopen, reload, upgrade
  -p prefix     : set prefix path (default: the working directory)
  -c filename   : set configuration file, nginx.conf or YAML (default: conf/nginx.conf)
  -g directives : set global directives out of configuration file
`;

const commands = `Commands:
  check                      : try engines with the proxy in front, before you switch to it
  convert FILE               : print an nginx.conf as YAML
  engine                     : run a simulated engine
  demo                       : run four prefill and four decode engines with the proxy in front
  simulate TRACE             : replay a request trace in virtual time, to compare policies or plan a fleet
  calibrate URL              : measure a live engine and print its profile for simulate
  status                     : say how a running proxy is, and how many engines of each pool are fit
  engines                    : list its engines, their states and their load
  top                        : show its engines and its rates, live in the terminal
  drain ENGINE               : let an engine of a running proxy take nothing new, and finish what it has
  undrain ENGINE             : let it take requests again
  requests                   : list the last requests
  explain ID                 : say why the engines of a request were chosen, and how it ended
  config diff|show           : say what a reload would change, or print the configuration in force
  reload                     : let it read its configuration again; on any error the old one stays
  log-level [LEVEL]          : show or set the level of its error log, until the next reload
  probe live|ready           : say by the exit code whether a running proxy lives, or is ready to serve
  completion bash|zsh|fish   : print a script with which a shell completes commands and options
  man                        : print the manual page
  key TENANT                 : make an API key, and its line for --api-keys
                               (add --help to a command to list its options)
`;

export function helpText(): string {
  const flags = flagsCommand().options.map(
    ({ flags: term, description }) => `  ${term.padEnd(26)} : ${description}\n`,
  );
  return `${switches}\nOptions instead of a file:\n${flags.join("")}\n${commands}\n`;
}

/** The page's entry: follows the stream, and draws what it says. */
import { render } from "preact";
import { followStream } from "./connection/stream.ts";
import { setToken } from "./connection/token.ts";
import { emptyState, type PageState, withMessage } from "./model/state.ts";
import { Page } from "./parts/page.tsx";
import { applyTheme } from "./parts/theme.ts";

let state: PageState = emptyState;
/** Drawn in place of the state, so that it can be read. */
let paused: PageState | undefined;

function draw(): void {
  const actions = { signIn, togglePause };
  const shown = paused === undefined ? state : { ...paused, connection: state.connection };
  render(<Page state={shown} isPaused={paused !== undefined} {...actions} />, root);
}

function signIn(token: string): void {
  setToken(token);
  start();
}

function togglePause(): void {
  paused = paused === undefined ? state : undefined;
  draw();
}

function start(): void {
  void followStream({
    message(name, message) {
      state = withMessage(state, name, message, Date.now());
    },
    settled: draw,
    connection(connection) {
      state = { ...state, connection };
      draw();
    },
  });
}

const root = document.getElementById("page")!;
root.textContent = "";
applyTheme();
draw();
start();
// Ages go on while nothing else happens.
setInterval(draw, 1_000);

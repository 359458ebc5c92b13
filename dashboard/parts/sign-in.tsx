/** Asks for the token of the admin listener. */
import { useState } from "preact/hooks";

export function SignIn({ signIn }: { readonly signIn: (token: string) => void }) {
  const [token, setToken] = useState("");
  const [isTried, setTried] = useState(false);
  return (
    <main class="sign-in">
      <h1>Global Proxy</h1>
      <form
        onSubmit={(event) => {
          event.preventDefault();
          setTried(true);
          if (token.trim() !== "") signIn(token.trim());
        }}
      >
        <label for="token">Token of the admin listener</label>
        <input
          id="token"
          type="password"
          autocomplete="current-password"
          value={token}
          onInput={(event) => setToken(event.currentTarget.value)}
        />
        <button type="submit">Show the dashboard</button>
        <p role="status">
          {isTried
            ? "This is not the token that the proxy has."
            : "It stays in this tab, and is gone when you close it."}
        </p>
      </form>
    </main>
  );
}

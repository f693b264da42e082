// Signing in: by password, or by another provider that sends people back here.
import { login as signIn } from "../api/accounts.ts";
import { Problem } from "../api/problem.ts";
import { user } from "../api/session.ts";
import { el } from "../dom.ts";
import { field, form } from "../parts/form.ts";
import { finishing, providerButtons, troubleThere } from "../parts/providers.ts";
import { go, nextAddress, type View, type Visit } from "../router.ts";

export function login({ query, signal }: Visit): View {
  const brought = new URLSearchParams(location.hash.slice(1));
  const code = brought.get("code");
  if (code) return { title: "Signing in", element: finishing(code, brought.get("return_to")) };
  const email = field({ name: "email", label: "E-mail", type: "email", autocomplete: "username", required: true });
  const password = field({ name: "password", label: "Password", type: "password", autocomplete: "current-password", required: true });
  const entry = form({
    testid: "login-form",
    fields: [email, password],
    extra: [el("p", { class: "aside" }, el("a", { href: "/forgot-password", "data-testid": "forgot-link" }, "Forgot your password?"))],
    submit: "Sign in",
    busy: "Signing in…",
    send: async () => {
      await signIn(email.input.value.trim(), password.input.value);
      go(nextAddress(query), { replace: true });
    },
    explain: (problem) =>
      problem.status === 401 ? new Problem(401, "Not signed in", "E-mail and password do not belong together. Check both and try again.") : problem,
  });
  const next = query.get("next");
  const register = next ? `/register?next=${encodeURIComponent(next)}` : "/register";
  const element = el(
    "div",
    { class: "page page-narrow" },
    el("h1", { class: "page-title" }, "Sign in"),
    next ? el("p", { class: "lead" }, "Sign in to go on.") : null,
    troubleThere(query.get("problem")),
    query.has("problem") ? stillThere() : null,
    entry,
    providerButtons(nextAddress(query), signal),
    el("p", { class: "aside" }, "New here? ", el("a", { href: register }, "Create an account")),
  );
  return { title: "Sign in", element };
}

/** Whoever could not link a provider is sent here too, and is signed in all the same. */
function stillThere(): HTMLElement | null {
  const who = user();
  if (!who) return null;
  return el("p", { class: "aside", "data-testid": "still-signed-in" }, `You are still signed in as ${who.username}. `, el("a", { href: "/account/identities" }, "To your sign-in providers"));
}

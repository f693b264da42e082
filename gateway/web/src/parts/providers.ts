// Other providers: the buttons that lead there, to sign in or to link an account, and what comes back from there.
import { exchange, linkAddress, providers } from "../api/providers.ts";
import { asProblem, isAbort } from "../api/problem.ts";
import type { Provider } from "../api/types.ts";
import { el, fill, write, type Child } from "../dom.ts";
import { go, sameSite } from "../router.ts";
import { errorState } from "./states.ts";

/** Why a sign-in elsewhere came to nothing, in the words that the gateway sends people back with. */
const TROUBLES: Record<string, string> = {
  "unknown-provider": "One cannot sign in by that provider here any more.",
  "provider-away": "The provider does not answer at the moment. Try again, or sign in another way.",
  "refused-there": "The sign-in was broken off at the provider.",
  "start-again": "That sign-in was begun elsewhere, is over already, or took too long. Please start again.",
  "no-email": "The provider tells no e-mail address. Create an account here first.",
  "email-unverified": "There is an account with your e-mail address, but the provider has not verified that it is yours. Sign in with your password, and link the provider in your account.",
  "email-unconfirmed": "There is an account with your e-mail address, but it was never confirmed here. Sign in with your password, or set a new one by e-mail, and link the provider in your account.",
  "registration-closed": "New accounts are not taken here. Ask an administrator.",
  "account-closed": "This account is locked. Ask an administrator.",
  "confirm-email": "Confirm your e-mail address first, by the link in the mail that was sent to it.",
  "identity-taken": "Somebody else here signs in with that account of the provider. Use another one, or unlink it from that account first.",
  "under-way": "Another sign-in with that account of the provider is under way. Try again in a minute.",
};

/** Shown only where there are any. They are links: the whole browser goes there. */
export function providerButtons(returnTo: string, signal: AbortSignal): HTMLElement {
  const place = el("div", { class: "providers", hidden: true, "data-testid": "providers" });
  const show = async () => {
    const found = await providers(signal);
    if (found.length === 0) return;
    const links = found.map(({ name, label, login_url: address }) =>
      el("a", { class: "button button-quiet", href: `${address}?return_to=${encodeURIComponent(returnTo)}`, "data-testid": `provider-${name}` }, `Sign in with ${label}`),
    );
    fill(place, el("p", { class: "or" }, "or"), ...links);
    place.hidden = false;
  };
  // Whoever cannot be told of providers can still sign in by password.
  show().catch((thrown: unknown) => isAbort(thrown) || console.warn("the providers are not known", thrown));
  return place;
}

/** Buttons that link one's account: who it is has to be told with the token, which no link carries. */
export function linkButtons(found: Provider[], returnTo: (provider: string) => string): Child[] {
  if (found.length === 0) return [el("p", { class: "lead", "data-testid": "no-providers" }, "No other providers are set up here.")];
  const alert = el("p", { class: "form-error", role: "alert", hidden: true, "data-testid": "link-problem" });
  const begin = async (button: HTMLButtonElement, name: string) => {
    button.disabled = true;
    alert.hidden = true;
    try {
      location.assign(await linkAddress(name, returnTo(name)));
    } catch (thrown) {
      alert.hidden = false;
      write(alert, asProblem(thrown).detail);
    } finally {
      button.disabled = false;
    }
  };
  const buttons = found.map(({ name, label }) => {
    const button = el("button", { type: "button", class: "button button-quiet", "data-testid": `link-${name}` }, `Link ${label}`);
    button.addEventListener("click", () => void begin(button, name));
    return button;
  });
  return [el("p", { class: "lead" }, "You sign in there once, and can sign in here by it from then on."), alert, el("div", { class: "actions" }, ...buttons)];
}

export function troubleThere(word: string | null): HTMLElement | null {
  if (!word) return null;
  const text = TROUBLES[word] ?? "Signing in by that provider did not work. Try again, or sign in another way.";
  return el("p", { class: "form-error", role: "alert", "data-testid": "provider-problem" }, text);
}

/** Takes the code that a provider's sign-in ended with to the gateway, and goes on. */
export function finishing(code: string, returnTo: string | null): HTMLElement {
  const element = el("div", { class: "page page-narrow" }, el("h1", { class: "page-title" }, "Signing in…"));
  // Good once, and nobody should find it in the history.
  history.replaceState(null, "", location.pathname);
  exchange(code).then(
    () => go(sameSite(returnTo), { replace: true }),
    (thrown: unknown) => fill(element, errorState(asProblem(thrown), null, "h1")),
  );
  return element;
}

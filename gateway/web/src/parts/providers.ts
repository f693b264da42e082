// Signing in by other providers: the buttons that lead there, and what comes back from there.
import { exchange, providers } from "../api/providers.ts";
import { asProblem, isAbort } from "../api/problem.ts";
import { el, fill } from "../dom.ts";
import { go, sameSite } from "../router.ts";
import { errorState } from "./states.ts";

/** Why a sign-in elsewhere came to nothing, in the words that the gateway sends people back with. */
const TROUBLES: Record<string, string> = {
  "provider-away": "The provider does not answer at the moment. Try again, or sign in another way.",
  "refused-there": "The sign-in was broken off at the provider.",
  "start-again": "That sign-in was begun elsewhere, is over already, or took too long. Please start again.",
  "no-email": "The provider tells no e-mail address. Create an account here first.",
  "email-unverified": "There is an account with your e-mail address, but the provider has not verified that it is yours. Sign in with your password.",
  "email-unconfirmed": "There is an account with your e-mail address, but it was never confirmed here. Sign in with your password, or set a new one by e-mail.",
  "registration-closed": "New accounts are not taken here. Ask an administrator.",
  "account-closed": "This account is locked. Ask an administrator.",
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

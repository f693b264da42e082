// Confirming an e-mail address, by the link from the mail; its secret is behind the #, which no server sees.
import { confirmEmail as confirm } from "../api/links.ts";
import { asProblem } from "../api/problem.ts";
import { user } from "../api/session.ts";
import { el, fill } from "../dom.ts";
import { errorState } from "../parts/states.ts";
import type { View } from "../router.ts";

export function confirmEmail(): View {
  const token = location.hash.slice(1).replace(/^token=/, "");
  const element = el("div", { class: "page page-narrow" }, el("h1", { class: "page-title" }, "Confirming your e-mail address…"));
  if (!token) {
    fill(element, el("h1", { class: "page-title" }, "Confirm your e-mail address"), el("p", { class: "lead", "data-testid": "no-token" }, "This page is reached by the link in the mail."));
    return { title: "Confirm your e-mail address", element };
  }
  history.replaceState(null, "", location.pathname);
  const next = user() ? el("a", { class: "button", href: "/account" }, "To your profile") : el("a", { class: "button", href: "/login" }, "Sign in");
  confirm(token).then(
    () => fill(element, el("h1", { class: "page-title" }, "Confirmed"), el("p", { class: "lead", role: "status", "data-testid": "email-confirmed" }, "Your e-mail address is confirmed."), el("div", { class: "actions" }, next)),
    (thrown: unknown) => fill(element, errorState(asProblem(thrown), null, "h1")),
  );
  return { title: "Confirm your e-mail address", element };
}

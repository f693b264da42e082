// Asking for a link to set a new password with.
import { forgotPassword as ask } from "../api/links.ts";
import { el, fill } from "../dom.ts";
import { field, form } from "../parts/form.ts";
import type { View } from "../router.ts";

export function forgotPassword(): View {
  const email = field({ name: "email", label: "E-mail", type: "email", autocomplete: "username", required: true });
  const element = el("div", { class: "page page-narrow" });
  const entry = form({
    testid: "forgot-form",
    fields: [email],
    submit: "Send me a link",
    busy: "Sending…",
    send: async () => {
      const address = email.input.value.trim();
      await ask(address);
      fill(element, ...sent(address));
      element.querySelector("h1")?.focus();
    },
  });
  fill(
    element,
    el("h1", { class: "page-title" }, "Forgot your password?"),
    el("p", { class: "lead" }, "Tell us your e-mail address, and a link to set a new password comes to it."),
    entry,
    el("p", { class: "aside" }, el("a", { href: "/login" }, "Back to signing in")),
  );
  return { title: "Forgot your password?", element };
}

/** Says the same whether there is such an account or not: who has one is nobody's business. */
function sent(address: string): HTMLElement[] {
  return [
    el("h1", { class: "page-title", tabindex: "-1" }, "Look into your mail"),
    el("p", { class: "lead", role: "status", "data-testid": "forgot-sent" }, `If there is an account with ${address}, a link is on its way. It is good for a short time and works once.`),
    el("p", { class: "aside" }, "Nothing there? Look into the spam folder, or ", el("a", { href: "/forgot-password" }, "try again"), "."),
  ];
}

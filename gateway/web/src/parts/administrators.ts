// Pages that only administrators see; the gateway decides, this only says so in good time.
import { user } from "../api/session.ts";
import { el } from "../dom.ts";
import type { View } from "../router.ts";

/** What others see instead, or nothing for an administrator. */
export function forAdministrators(title: string): View | null {
  if (user()?.role === "admin") return null;
  const back = el("a", { class: "button", href: "/" }, "To the catalogue");
  const element = el("section", { class: "state", "data-testid": "not-for-you" }, el("h1", {}, "For administrators"), el("p", {}, "Your role does not let you see this page."), el("div", { class: "actions" }, back));
  return { title, element };
}

// Where somebody lands whose account was deleted.
import { user } from "../api/session.ts";
import { el } from "../dom.ts";
import type { View } from "../router.ts";

export function goodbye(): View {
  const who = user();
  const title = who ? "Still here" : "Your account is deleted";
  const text = who ? `You are signed in as ${who.username}, and this account is as it was.` : "You are signed out everywhere, and what was kept about you is erased.";
  const element = el(
    "section",
    { class: "state", "data-testid": "goodbye" },
    el("img", { src: "/empty-reel.svg", alt: "", width: "120", height: "120" }),
    el("h1", {}, title),
    el("p", {}, text),
    el("div", { class: "actions" }, el("a", { class: "button", href: "/" }, "To the catalogue")),
  );
  return { title, element };
}

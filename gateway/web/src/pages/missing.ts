// For an address that leads nowhere.
import { el } from "../dom.ts";
import type { View } from "../router.ts";

export function missing(): View {
  const element = el(
    "section",
    { class: "state" },
    el("img", { src: "/empty-reel.svg", alt: "", width: "120", height: "120" }),
    el("h1", {}, "Nothing on this reel"),
    el("p", {}, "There is no page at this address."),
    el("a", { class: "button", href: "/" }, "To the catalogue"),
  );
  return { title: "Not found", element };
}

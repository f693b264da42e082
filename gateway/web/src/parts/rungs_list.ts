// How far each rendition has got, as strips of film side by side.
import type { Rendition } from "../api/types.ts";
import { el, fill } from "../dom.ts";
import { clock, rungLabel } from "../text/format.ts";

export function rungsList(): { element: HTMLElement; show: (renditions: readonly Rendition[], length: number | null) => void } {
  const list = el("ul", { class: "rungs", "data-testid": "renditions" });
  const element = el("section", { class: "rungs-area", "aria-label": "Renditions", hidden: true }, el("h2", { class: "small-title" }, "Renditions"), list);
  let drawn = "";
  const show = (renditions: readonly Rendition[], length: number | null) => {
    const wanted = JSON.stringify([renditions, length]);
    if (wanted === drawn) return;
    drawn = wanted;
    element.hidden = renditions.length === 0;
    fill(list, ...[...renditions].sort((one, other) => other.bandwidth - one.bandwidth).map((rendition) => row(rendition, length)));
  };
  return { element, show };
}

function row(rendition: Rendition, length: number | null): HTMLElement {
  const share = rendition.complete ? 1 : Math.min(1, rendition.published_seconds / Math.max(1, length ?? rendition.published_seconds));
  const strip = el("div", { class: "rung-strip", "aria-hidden": "true" });
  strip.style.setProperty("--done", `${(share * 100).toFixed(1)}%`);
  const state = rendition.complete ? "complete" : `ready to ${clock(rendition.published_seconds)}`;
  return el("li", { class: "rung", "data-rendition": rendition.name }, el("span", { class: "rung-name" }, rungLabel(rendition.width, rendition.height)), strip, el("span", { class: "rung-state" }, state));
}

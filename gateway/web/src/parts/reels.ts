// Two film reels: what is left to do winds off the left one, what is done winds on to the right one.
import { svg } from "../dom.ts";

const HUB = 13;
const FULL = 44;
const LEFT = 56;
const RIGHT = 264;
const MIDDLE = 56;

export interface Reels {
  element: SVGSVGElement;
  /** `fraction` from 0 to 1; `turning` while work goes on. */
  show: (fraction: number, turning: boolean) => void;
}

/** Decoration only: the numbers are said by the progress bar beside it. */
export function reels(): Reels {
  const feed = reel(LEFT);
  const take = reel(RIGHT);
  const strand = svg("path", { class: "reels-strand" });
  const holes = svg("path", { class: "reels-holes" });
  const gate = svg("rect", { class: "reels-gate", x: "148", y: "2", width: "24", height: "22", rx: "3" });
  const element = svg(
    "svg",
    { class: "reels", viewBox: "0 0 320 112", "aria-hidden": "true", focusable: "false" },
    feed.group,
    take.group,
    strand,
    holes,
    gate,
  );
  const show = (fraction: number, turning: boolean) => {
    const done = Math.min(1, Math.max(0, fraction));
    const [left, right] = [woundRadius(1 - done), woundRadius(done)];
    feed.wound.setAttribute("r", left.toFixed(2));
    take.wound.setAttribute("r", right.toFixed(2));
    const path = `M${LEFT} ${(MIDDLE - left).toFixed(2)} Q120 13 148 13 H172 Q200 13 ${RIGHT} ${(MIDDLE - right).toFixed(2)}`;
    strand.setAttribute("d", path);
    holes.setAttribute("d", path);
    element.classList.toggle("is-turning", turning);
  };
  show(0, false);
  return { element, show };
}

/** The same length of film covers the same area, so the radius grows with the root. */
function woundRadius(share: number): number {
  return Math.sqrt(HUB * HUB + share * (FULL * FULL - HUB * HUB));
}

function reel(x: number): { group: SVGGElement; wound: SVGCircleElement } {
  const wound = svg("circle", { class: "reels-wound", cx: x, cy: MIDDLE, r: HUB });
  const spokes = [90, 210, 330].map((degrees) => {
    const angle = (degrees * Math.PI) / 180;
    return svg("circle", {
      class: "reels-window",
      cx: (x + 31 * Math.cos(angle)).toFixed(2),
      cy: (MIDDLE - 31 * Math.sin(angle)).toFixed(2),
      r: "9.5",
    });
  });
  const flange = svg("circle", { class: "reels-flange", cx: x, cy: MIDDLE, r: "51" });
  const hub = svg("circle", { class: "reels-hub", cx: x, cy: MIDDLE, r: "5" });
  const turning = svg("g", { class: "reels-turning" }, flange, ...spokes, hub);
  return { group: svg("g", {}, wound, turning), wound };
}

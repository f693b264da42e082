// The icons, drawn on a 24 by 24 grid for this project.
import { svg } from "./dom.ts";

const SHAPES = {
  play: "M7 4.5v15l13-7.5z",
  pause: "M6 4.5h4v15H6zM14 4.5h4v15h-4z",
  volume: "M3 9v6h4l6 5V4L7 9zM15.5 8.2a5 5 0 0 1 0 7.6l1.3 1.5a7 7 0 0 0 0-10.6z",
  muted: "M3 9v6h4l6 5V4L7 9zM15 9.4l1.4-1.4 2.6 2.6L21.6 8 23 9.4 20.4 12l2.6 2.6-1.4 1.4-2.6-2.6L16.4 16 15 14.6 17.6 12z",
  quality: "M3 6h10v2H3zM17 6h4v2h-4zM13 4h2v6h-2zM3 16h4v2H3zM11 16h10v2H11zM8 14h2v6H8z",
  speed: "M12 5a9 9 0 0 0-7.8 13.5h2.4A7 7 0 1 1 17.4 18.5h2.4A9 9 0 0 0 12 5zM16 9.5l-5.2 3.6a1.6 1.6 0 1 0 2 2z",
  pip: "M3 5h18v14H3zM5 7v10h14V7zM11 11h7v5h-7z",
  fullscreen: "M4 4h6v2H6v4H4zM14 4h6v6h-2V6h-4zM4 14h2v4h4v2H4zM18 14h2v6h-6v-2h4z",
  shrink: "M8 4h2v6H4V8h4zM14 4h2v4h4v2h-6zM4 14h6v6H8v-4H4zM14 14h6v2h-4v4h-2z",
  sun: "M12 7.5a4.5 4.5 0 1 0 0 9 4.5 4.5 0 0 0 0-9zM11 2h2v3.5h-2zM11 18.5h2V22h-2zM2 11h3.5v2H2zM18.5 11H22v2h-3.5zM4.2 5.6l1.4-1.4L8.1 6.7 6.7 8.1zM15.9 17.3l1.4-1.4 2.5 2.5-1.4 1.4zM4.2 18.4l2.5-2.5 1.4 1.4-2.5 2.5zM15.9 6.7l2.5-2.5 1.4 1.4-2.5 2.5z",
  moon: "M13.5 3a9 9 0 1 0 7.4 13.6A7.5 7.5 0 0 1 13.5 3z",
  upload: "M11 16V7.8L7.9 10.9 6.5 9.5 12 4l5.5 5.5-1.4 1.4L13 7.8V16zM4 18h16v2H4z",
  close: "M5.6 7L7 5.6l5 5 5-5L18.4 7l-5 5 5 5-1.4 1.4-5-5-5 5L5.6 17l5-5z",
  check: "M9.5 17.6L4 12.1l1.5-1.5 4 4 9-9L20 7.1z",
  alert: "M12 3l10 18H2zM11 9.5v5.5h2V9.5zM11 16.5v2h2v-2z",
  reel: "M12 3a9 9 0 1 0 0 18 9 9 0 0 0 0-18zM12 5.5a2 2 0 1 1 0 4 2 2 0 0 1 0-4zM12 14.5a2 2 0 1 1 0 4 2 2 0 0 1 0-4zM7.5 10a2 2 0 1 1 0 4 2 2 0 0 1 0-4zM16.5 10a2 2 0 1 1 0 4 2 2 0 0 1 0-4z",
  people: "M8.5 5a3.5 3.5 0 1 0 0 7 3.5 3.5 0 0 0 0-7zM16.5 6a3 3 0 1 0 0 6 3 3 0 0 0 0-6zM1.5 19.5c0-3.5 3-5.7 7-5.7s7 2.2 7 5.7zM16.9 19.5H22.5c0-3.3-2.6-5.4-6-5.4-.6 0-1.2.1-1.8.2 1.4 1.2 2.2 3 2.2 5.2z",
  person: "M12 4a4 4 0 1 0 0 8 4 4 0 0 0 0-8zM4 20c0-4 3.6-6.5 8-6.5s8 2.5 8 6.5z",
  film: "M3 4h18v16H3zM8 6v12h8V6zM4.5 6v2h2V6zM4.5 11v2h2v-2zM4.5 16v2h2v-2zM17.5 6v2h2V6zM17.5 11v2h2v-2zM17.5 16v2h2v-2z",
} as const;

export type Icon = keyof typeof SHAPES;

/** An icon for the eye only: whatever carries it needs a name of its own. */
export function icon(name: Icon): SVGSVGElement {
  return svg(
    "svg",
    { viewBox: "0 0 24 24", class: "icon", "aria-hidden": "true", focusable: "false" },
    svg("path", { d: SHAPES[name], "fill-rule": "evenodd" }),
  );
}

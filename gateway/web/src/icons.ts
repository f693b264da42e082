// The icons, drawn on a 24 by 24 grid for this project.
import { svg } from "./dom.ts";

const SHAPES = {
  play: "M7 4.5v15l13-7.5z",
  pause: "M6 4.5h4v15H6zM14 4.5h4v15h-4z",
  volume: "M3 9v6h4l6 5V4L7 9zM15.5 8.2a5 5 0 0 1 0 7.6l1.3 1.5a7 7 0 0 0 0-10.6z",
  muted: "M3 9v6h4l6 5V4L7 9zM15 9.4l1.4-1.4 2.6 2.6L21.600 8 23 9.400 20.400 12l2.600 2.600-1.400 1.400-2.600-2.600L16.400 16 15 14.600 17.600 12z",
  quality: "M3 6h10v2H3zM17 6h4v2h-4zM13 4h2v6h-2zM3 16h4v2H3zM11 16h10v2H11zM8 14h2v6H8z",
  speed: "M12 5a9 9 0 0 0-7.8 13.500h2.400A7 7 0 1 1 17.400 18.500h2.400A9 9 0 0 0 12 5zM16 9.500l-5.200 3.600a1.600 1.600 0 1 0 2 2z",
  pip: "M3 5h18v14H3zM5 7v10h14V7zM11 11h7v5h-7z",
  fullscreen: "M4 4h6v2H6v4H4zM14 4h6v6h-2V6h-4zM4 14h2v4h4v2H4zM18 14h2v6h-6v-2h4z",
  shrink: "M8 4h2v6H4V8h4zM14 4h2v4h4v2h-6zM4 14h6v6H8v-4H4zM14 14h6v2h-4v4h-2z",
  sun: "M12 7.500a4.500 4.500 0 1 0 0 9 4.500 4.500 0 0 0 0-9zM11 2h2v3.500h-2zM11 18.500h2V22h-2zM2 11h3.500v2H2zM18.500 11H22v2h-3.500zM4.200 5.600l1.400-1.400L8.100 6.700 6.700 8.100zM15.900 17.300l1.400-1.400 2.500 2.500-1.400 1.400zM4.200 18.400l2.500-2.500 1.400 1.400-2.500 2.500zM15.900 6.700l2.500-2.500 1.400 1.400-2.500 2.500z",
  moon: "M13.500 3a9 9 0 1 0 7.400 13.600A7.500 7.500 0 0 1 13.500 3z",
  upload: "M11 16V7.800L7.900 10.900 6.500 9.500 12 4l5.500 5.500-1.400 1.400L13 7.800V16zM4 18h16v2H4z",
  close: "M5.600 7L7 5.600l5 5 5-5L18.400 7l-5 5 5 5-1.400 1.400-5-5-5 5L5.600 17l5-5z",
  check: "M9.500 17.600L4 12.100l1.500-1.500 4 4 9-9L20 7.100z",
  alert: "M12 3l10 18H2zM11 9.500v5.500h2V9.500zM11 16.500v2h2v-2z",
  person: "M12 4a4 4 0 1 0 0 8 4 4 0 0 0 0-8zM4 20c0-4 3.600-6.500 8-6.500s8 2.500 8 6.500z",
  film: "M3 4h18v16H3zM8 6v12h8V6zM4.500 6v2h2V6zM4.500 11v2h2v-2zM4.500 16v2h2v-2zM17.500 6v2h2V6zM17.500 11v2h2v-2zM17.500 16v2h2v-2z",
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

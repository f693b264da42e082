// Somebody's picture, round; their initials where there is none, or where it cannot be shown.
import type { Pictured } from "../api/types.ts";
import { el, fill } from "../dom.ts";
import { initials, type Named } from "../text/initials.ts";

const SIZES = { small: 32, large: 96 } as const;

/** For the eye only: the name has to stand beside it. */
export function avatar(somebody: Named & Pictured, size: keyof typeof SIZES = "small"): HTMLElement {
  const element = el("span", { class: `avatar avatar-${size}`, "aria-hidden": "true" });
  const monogram = () => fill(element, initials(somebody));
  if (somebody.avatar_url) {
    const side = SIZES[size];
    fill(element, el("img", { src: somebody.avatar_url, alt: "", width: side, height: side, loading: "lazy", on: { error: monogram } }));
  } else {
    monogram();
  }
  return element;
}

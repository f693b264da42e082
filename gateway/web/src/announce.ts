// Tells things: to screen readers through a live region, and to the eye through a short note at the bottom.
import { el, write } from "./dom.ts";

const NOTE_MS = 6000;

const spokenRegion = el("div", { class: "visually-hidden", "aria-live": "polite", role: "status" });
const notes = el("div", { class: "notes" });

export function mountAnnouncements(parent: Element): void {
  parent.append(spokenRegion, notes);
}

/** Said by a screen reader, shown to nobody. */
export function say(text: string): void {
  write(spokenRegion, text);
}

/** Said and shown. */
export function note(text: string, kind: "good" | "bad" = "good"): void {
  say(text);
  const shown = el("p", { class: `note note-${kind}`, "data-testid": "note" }, text);
  notes.append(shown);
  setTimeout(() => shown.remove(), NOTE_MS);
}

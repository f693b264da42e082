// The line of time: what was played, what is loaded, and, while a film is still being made, how far it goes by now.
import { el } from "../dom.ts";
import { clock, spoken } from "../text/format.ts";

export interface SeekBar {
  element: HTMLElement;
  /** `length` of the whole film, `available` what can be sought so far; seconds. */
  show: (now: { position: number; length: number; available: number; loaded: number }) => void;
}

export function seekBar(seek: (position: number) => void): SeekBar {
  const input = el("input", { type: "range", class: "seek", min: 0, max: 0, step: "any", value: 0, "aria-label": "Position", "data-testid": "player-seek" });
  const bubble = el("span", { class: "seek-bubble", "aria-hidden": "true" });
  const element = el("div", { class: "seek-bar" }, input, bubble);
  let available = 0;
  let length = 0;
  let dragging = false;

  input.addEventListener("input", () => {
    dragging = true;
    const wanted = Math.min(Number(input.value), available);
    input.value = String(wanted);
    paint(wanted);
    seek(wanted);
  });
  input.addEventListener("change", () => (dragging = false));
  element.addEventListener("pointermove", (event) => {
    const box = input.getBoundingClientRect();
    const share = Math.min(1, Math.max(0, (event.clientX - box.left) / Math.max(1, box.width)));
    const time = share * length;
    bubble.textContent = time > available + 1 ? "Not made yet" : clock(time);
    element.style.setProperty("--at", `${(share * 100).toFixed(2)}%`);
  });

  function paint(position: number): void {
    input.style.setProperty("--played", percent(position));
    input.setAttribute("aria-valuetext", `${spoken(position)} of ${spoken(length)}`);
  }

  function percent(seconds: number): string {
    return length > 0 ? `${Math.min(100, (100 * seconds) / length).toFixed(2)}%` : "0%";
  }

  return {
    element,
    show(now) {
      length = now.length;
      available = now.available;
      input.max = String(length);
      input.style.setProperty("--loaded", percent(now.loaded));
      input.style.setProperty("--available", percent(available));
      if (dragging) return;
      input.value = String(now.position);
      paint(now.position);
    },
  };
}

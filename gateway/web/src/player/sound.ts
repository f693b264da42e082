// How loud: a button and a slider, remembered for the next film.
import { el, fill } from "../dom.ts";
import { icon } from "../icons.ts";

const KEY = "spool.volume";

export interface Sound {
  element: HTMLElement;
  mute: () => void;
  volumeBy: (share: number) => void;
}

export function sound(media: HTMLVideoElement): Sound {
  const button = el("button", { type: "button", class: "player-button", "data-testid": "player-mute" });
  const slider = el("input", { type: "range", class: "volume", min: 0, max: 1, step: 0.05, "aria-label": "Volume", "data-testid": "player-volume" });
  restore(media);

  function show(): void {
    const silent = media.muted || media.volume === 0;
    const text = silent ? "Sound on (m)" : "Sound off (m)";
    fill(button, icon(silent ? "muted" : "volume"));
    button.setAttribute("aria-label", text);
    button.title = text;
    slider.value = String(silent ? 0 : media.volume);
    slider.style.setProperty("--played", `${Number(slider.value) * 100}%`);
    slider.setAttribute("aria-valuetext", `${Math.round(Number(slider.value) * 100)} percent`);
  }

  function mute(): void {
    if (media.volume === 0) media.volume = 0.5;
    else media.muted = !media.muted;
  }

  function volumeBy(share: number): void {
    media.muted = false;
    media.volume = Math.min(1, Math.max(0, media.volume + share));
  }

  button.addEventListener("click", mute);
  slider.addEventListener("input", () => {
    media.muted = false;
    media.volume = Number(slider.value);
  });
  media.addEventListener("volumechange", () => {
    show();
    store(media);
  });
  show();
  return { element: el("div", { class: "sound" }, button, slider), mute, volumeBy };
}

function restore(media: HTMLVideoElement): void {
  try {
    const { volume, muted } = JSON.parse(localStorage.getItem(KEY) ?? "{}") as { volume?: number; muted?: boolean };
    if (typeof volume === "number" && volume >= 0 && volume <= 1) media.volume = volume;
    media.muted = muted === true;
  } catch {
    // Full volume, then.
  }
}

function store(media: HTMLVideoElement): void {
  try {
    localStorage.setItem(KEY, JSON.stringify({ volume: media.volume, muted: media.muted }));
  } catch {
    // Used now, forgotten later.
  }
}

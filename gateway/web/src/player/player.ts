// The player: the picture, its controls, and what it says when it cannot go on.
import type { Video } from "../api/types.ts";
import { el, fill, write } from "../dom.ts";
import { icon } from "../icons.ts";
import { clock, rungLabel } from "../text/format.ts";
import { listenForKeys } from "./keys.ts";
import { menu, type Choice } from "./menu.ts";
import { publishedEnd } from "./rungs.ts";
import { screen } from "./screen.ts";
import { seekBar } from "./seek_bar.ts";
import { sound } from "./sound.ts";
import { Stream } from "./stream.ts";

const SPEEDS = [0.5, 0.75, 1, 1.25, 1.5, 2];
/** The controls hide after this long without a movement. */
const IDLE_MS = 2800;

export interface PlayerOptions {
  video: Video;
  /** Reads the video anew, for an address whose signature has expired. */
  reread: () => Promise<Video | null>;
  /** Asks for fresh knowledge of the renditions. */
  curious: () => void;
  signal: AbortSignal;
}

export interface Player {
  element: HTMLElement;
  update: (video: Video) => void;
}

export function player(options: PlayerOptions): Player {
  const { signal } = options;
  let video = options.video;
  const media = el("video", { class: "player-video", playsinline: true, preload: "auto", poster: video.thumbnail_url, "aria-label": video.title, "data-testid": "player" });
  const big = el("button", { type: "button", class: "player-big", "aria-label": "Play", "data-testid": "player-big-play" }, icon("play"));
  const spinner = el("div", { class: "player-spinner", hidden: true, role: "status" }, el("span", { class: "visually-hidden" }, "Loading"));
  const message = el("div", { class: "player-message", hidden: true, role: "alert", "data-testid": "player-error" });
  const playButton = el("button", { type: "button", class: "player-button", "data-testid": "player-play" });
  const time = el("span", { class: "player-time", "data-testid": "player-time" });
  const seek = seekBar((position) => (media.currentTime = position));
  const volume = sound(media);
  const element = el("section", { class: "player", "aria-label": "Player" });
  const display = screen(element, media, signal);
  const stream = new Stream(media, { changed: showQuality, failed: (failure) => void failed(failure) });
  const speed = menu({ name: "Speed", icon: "speed", testid: "speed", signal, chosen: setSpeed });
  const quality = menu({ name: "Quality", icon: "quality", testid: "quality", signal, chosen: setQuality, opened: options.curious });

  element.append(
    media,
    spinner,
    big,
    message,
    el(
      "div",
      { class: "player-bar" },
      seek.element,
      el("div", { class: "player-row" }, playButton, volume.element, time, el("span", { class: "player-gap" }), speed.element, quality.element, ...display.elements),
    ),
  );

  function toggle(): void {
    if (media.paused) void play();
    else media.pause();
  }

  async function play(): Promise<void> {
    try {
      await media.play();
    } catch {
      // The browser wants a press first: the big button stays.
    }
  }

  function showPlaying(): void {
    const text = media.paused ? "Play (k)" : "Pause (k)";
    fill(playButton, icon(media.paused ? "play" : "pause"));
    playButton.setAttribute("aria-label", text);
    playButton.title = text;
    big.hidden = !media.paused || !message.hidden;
    element.classList.toggle("is-paused", media.paused);
  }

  function showTime(): void {
    const known = Number.isFinite(media.duration) ? media.duration : 0;
    const available = Math.max(known, publishedEnd(video.renditions));
    const length = Math.max(video.duration_seconds ?? 0, known);
    seek.show({ position: media.currentTime, length, available: video.status === "ready" ? length : available, loaded: loadedEnd(media) });
    write(time, `${clock(media.currentTime)} / ${clock(length)}`);
  }

  function showQuality(): void {
    const [playing, choice, rungs] = [stream.playing(), stream.choice(), stream.rungs()];
    const choices: Choice[] = [{ value: "", label: "Auto", detail: playing?.label ?? "", checked: choice === null }];
    for (const rung of rungs) choices.push({ value: rung.name, label: rung.label, detail: `${Math.round(rung.bandwidth / 1000)} kbit/s`, checked: choice === rung.name });
    const offered = new Set(rungs.map((rung) => rung.name));
    for (const rendition of video.renditions) {
      if (offered.has(rendition.name) || rendition.complete) continue;
      choices.push({ value: rendition.name, label: rungLabel(rendition.width, rendition.height), detail: `ready to ${clock(rendition.published_seconds)}`, checked: false, disabled: true });
    }
    const label = rungs.find((rung) => rung.name === choice)?.label;
    quality.show(choices, label ?? (playing ? `Auto ${playing.label}` : "Auto"));
  }

  function setQuality(value: string): void {
    stream.choose(value === "" ? null : value);
    showQuality();
  }

  function setSpeed(value: string): void {
    media.playbackRate = Number(value);
  }

  function showSpeed(): void {
    speed.show(SPEEDS.map((rate) => ({ value: String(rate), label: rate === 1 ? "Normal" : `${rate}×`, checked: rate === media.playbackRate })), `${media.playbackRate}×`);
  }

  async function failed(failure: { gone: boolean; text: string }): Promise<void> {
    if (failure.gone) {
      const fresh = await options.reread();
      if (fresh?.hls_url && fresh.hls_url !== video.hls_url) {
        video = fresh;
        return stream.open(fresh.hls_url, fresh.renditions, media.currentTime);
      }
    }
    const again = el("button", { type: "button", class: "button", on: { click: restart } }, "Try again");
    fill(message, el("p", {}, failure.text), again);
    message.hidden = false;
    spinner.hidden = true;
    showPlaying();
  }

  function restart(): void {
    message.hidden = true;
    void begin(media.currentTime).then(play);
  }

  async function begin(position: number): Promise<void> {
    if (video.hls_url) await stream.open(video.hls_url, video.renditions, position);
  }

  function seekBy(seconds: number): void {
    media.currentTime = Math.max(0, Math.min(media.currentTime + seconds, media.duration || 0));
  }

  const waiting = (on: boolean) => () => (spinner.hidden = !on || !message.hidden);
  for (const kind of ["waiting", "seeking", "loadstart"]) media.addEventListener(kind, waiting(true));
  for (const kind of ["playing", "canplay", "seeked", "error"]) media.addEventListener(kind, waiting(false));
  for (const kind of ["play", "pause", "ended"]) media.addEventListener(kind, showPlaying);
  for (const kind of ["timeupdate", "durationchange", "progress", "seeked"]) media.addEventListener(kind, showTime);
  media.addEventListener("ratechange", showSpeed);
  media.addEventListener("resize", showQuality);
  media.addEventListener("click", toggle);
  media.addEventListener("dblclick", display.fullscreen);
  playButton.addEventListener("click", toggle);
  big.addEventListener("click", () => {
    playButton.focus();
    toggle();
  });
  hideWhenIdle(element);
  listenForKeys({ toggle, seekBy, volumeBy: volume.volumeBy, mute: volume.mute, fullscreen: display.fullscreen }, signal);
  signal.addEventListener("abort", () => stream.destroy());
  showPlaying();
  showTime();
  showSpeed();
  showQuality();
  void begin(0).then(play);

  return {
    element,
    update(next) {
      video = next;
      if (next.thumbnail_url && !media.poster) media.poster = next.thumbnail_url;
      if (next.hls_url) void stream.update(next.hls_url, next.renditions);
      showTime();
      showQuality();
    },
  };
}

/** The end of what is loaded around the position, in seconds. */
function loadedEnd(media: HTMLVideoElement): number {
  for (let index = 0; index < media.buffered.length; index += 1) {
    const [start, end] = [media.buffered.start(index), media.buffered.end(index)];
    if (start <= media.currentTime + 0.2 && media.currentTime <= end) return end;
  }
  return media.currentTime;
}

function hideWhenIdle(element: HTMLElement): void {
  let timer: number | undefined;
  const wake = () => {
    element.classList.remove("is-idle");
    clearTimeout(timer);
    timer = window.setTimeout(() => {
      const inUse = element.querySelector(".menu-list:not([hidden])") !== null || element.querySelector(".player-bar :focus-visible") !== null;
      if (!inUse) element.classList.add("is-idle");
    }, IDLE_MS);
  };
  for (const kind of ["pointermove", "pointerdown", "keydown", "focusin"]) element.addEventListener(kind, wake);
  wake();
}

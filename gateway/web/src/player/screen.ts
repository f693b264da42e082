// Full screen and picture in picture, where the browser has them.
import { el, fill } from "../dom.ts";
import { icon } from "../icons.ts";

/** iPhones can only put the video itself on the full screen. */
type AppleVideo = HTMLVideoElement & { webkitEnterFullscreen?: () => void };

export interface Screen {
  elements: HTMLElement[];
  fullscreen: () => void;
}

export function screen(player: HTMLElement, media: HTMLVideoElement, signal: AbortSignal): Screen {
  const full = el("button", { type: "button", class: "player-button", "data-testid": "player-fullscreen" });
  const small = el("button", { type: "button", class: "player-button only-wide", "aria-label": "Picture in picture", title: "Picture in picture", "data-testid": "player-pip" }, icon("pip"));

  function fullscreen(): void {
    if (document.fullscreenElement) void document.exitFullscreen();
    else if (player.requestFullscreen) void player.requestFullscreen().catch(() => undefined);
    else (media as AppleVideo).webkitEnterFullscreen?.();
  }

  function show(): void {
    const on = document.fullscreenElement === player;
    const text = on ? "Leave full screen (f)" : "Full screen (f)";
    fill(full, icon(on ? "shrink" : "fullscreen"));
    full.setAttribute("aria-label", text);
    full.title = text;
  }

  full.addEventListener("click", fullscreen);
  small.addEventListener("click", () => {
    if (document.pictureInPictureElement) void document.exitPictureInPicture();
    else void media.requestPictureInPicture().catch(() => undefined);
  });
  media.addEventListener("enterpictureinpicture", () => small.setAttribute("aria-pressed", "true"));
  media.addEventListener("leavepictureinpicture", () => small.setAttribute("aria-pressed", "false"));
  document.addEventListener("fullscreenchange", show, { signal });
  show();
  return { elements: document.pictureInPictureEnabled ? [small, full] : [full], fullscreen };
}

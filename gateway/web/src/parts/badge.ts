// The small sign that says what state a video is in.
import type { Job, Video } from "../api/types.ts";
import { el } from "../dom.ts";
import { isOver } from "../text/states.ts";

/** Nothing for a video that is simply ready and public. */
export function badges(video: Video): HTMLElement[] {
  const signs: HTMLElement[] = [];
  const status = statusBadge(video);
  if (status) signs.push(status);
  if (video.visibility !== "public") signs.push(el("span", { class: "badge" }, video.visibility === "private" ? "Private" : "Unlisted"));
  return signs;
}

function statusBadge(video: Video): HTMLElement | null {
  const sign = (text: string, kind: string) =>
    el("span", { class: `badge badge-${kind}`, "data-testid": "status-badge", "data-status": video.status }, text);
  if (video.status === "failed") return sign("Failed", "bad");
  if (video.status === "ready") return null;
  if (video.status === "awaiting_upload") return sign("Waiting for the film", "busy");
  return sign(video.hls_url ? "Processing, playable" : "Processing", "busy");
}

/** Brings a badge up to date with a job's progress. */
export function showProgress(badge: Element | null, job: Job | null, playable: boolean): void {
  if (!badge || !job || isOver(job.state)) return;
  const text = `${playable ? "Playable, " : ""}${Math.floor(job.progress)} %`;
  if (badge.textContent !== text) badge.textContent = text;
}

// The upload of this tab. It belongs to no page, so one can look around while a film is being sent.
import { isAbort, asProblem, type Problem } from "./api/problem.ts";
import type { Video } from "./api/types.ts";
import { upload, type Film } from "./api/uploads.ts";

export interface Uploading {
  film: Film;
  state: "sending" | "sent" | "failed" | "cancelled";
  sentBytes: number;
  totalBytes: number;
  startedAt: number;
  video: Video | null;
  problem: Problem | null;
}

let running: Uploading | null = null;
let stopper = new AbortController();
const watchers = new Set<() => void>();

window.addEventListener("beforeunload", (event) => {
  if (running?.state === "sending") event.preventDefault();
});

export function current(): Uploading | null {
  return running;
}

export function onUploadChange(watcher: () => void, signal?: AbortSignal): void {
  watchers.add(watcher);
  signal?.addEventListener("abort", () => watchers.delete(watcher));
}

export async function begin(film: Film): Promise<void> {
  stopper = new AbortController();
  const mine: Uploading = {
    film,
    state: "sending",
    sentBytes: 0,
    totalBytes: film.file.size,
    startedAt: Date.now(),
    video: null,
    problem: null,
  };
  running = mine;
  tell();
  try {
    mine.video = await upload(film, (sent, total) => advance(mine, sent, total), stopper.signal);
    mine.state = "sent";
  } catch (thrown) {
    mine.state = isAbort(thrown) ? "cancelled" : "failed";
    mine.problem = isAbort(thrown) ? null : asProblem(thrown);
  }
  tell();
}

export function cancel(): void {
  stopper.abort();
}

/** Forgets an upload that has ended. */
export function clear(): void {
  if (running?.state === "sending") return;
  running = null;
  tell();
}

function advance(upload: Uploading, sent: number, total: number): void {
  upload.sentBytes = sent;
  upload.totalBytes = total;
  tell();
}

function tell(): void {
  for (const watcher of [...watchers]) watcher();
}

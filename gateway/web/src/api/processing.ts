// Starting and stopping the work on a video.
import { ask } from "./http.ts";

export async function start(videoId: string): Promise<void> {
  await ask("POST", `/api/processing/videos/${encodeURIComponent(videoId)}/start`);
}

export async function cancel(videoId: string): Promise<void> {
  await ask("POST", `/api/processing/videos/${encodeURIComponent(videoId)}/cancel`);
}

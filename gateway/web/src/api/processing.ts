// Starting and stopping the work on a video.
import { api } from "./http.ts";

export async function start(videoId: string): Promise<void> {
  await api.POST("/api/processing/videos/{id}/start", { params: { path: { id: videoId } } });
}

export async function cancel(videoId: string): Promise<void> {
  await api.POST("/api/processing/videos/{id}/cancel", { params: { path: { id: videoId } } });
}

// Videos and the list of them.
import { api, taken, type Answer } from "./http.ts";
import type { Page, Status, Video, VideoChange } from "./types.ts";

const PAGE = 24;

export async function list(owner: "me" | null, cursor: string | null, signal: AbortSignal): Promise<Page<Video>> {
  const query = { limit: PAGE, ...(owner && { owner }), ...(cursor !== null && { cursor }) };
  return (await taken(api.GET("/api/videos", { params: { query }, signal }))).data;
}

/** With the ETag that an edit has to send back. */
export function get(id: string, signal?: AbortSignal): Promise<Answer<Video>> {
  return taken(api.GET("/api/videos/{id}", { params: { path: { id } }, signal: signal ?? null }));
}

export async function status(id: string, signal?: AbortSignal): Promise<Status> {
  return (await taken(api.GET("/api/videos/{id}/status", { params: { path: { id } }, signal: signal ?? null }))).data;
}

export async function edit(id: string, change: VideoChange, etag: string | null): Promise<void> {
  const header = etag ? { "If-Match": etag } : {};
  await api.PUT("/api/videos/{id}", { params: { path: { id }, header }, body: change });
}

export async function remove(id: string): Promise<void> {
  await api.DELETE("/api/videos/{id}", { params: { path: { id } } });
}

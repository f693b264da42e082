// Videos and the list of them.
import { ask, type Answer } from "./http.ts";
import { pageAddress } from "./paging.ts";
import type { Page, Status, Video, Visibility } from "./types.ts";

const PAGE = 24;

export interface Edit {
  title: string;
  description: string;
  visibility: Visibility;
}

export async function list(owner: "me" | null, cursor: string | null, signal: AbortSignal): Promise<Page<Video>> {
  const query = owner ? { limit: PAGE, owner } : { limit: PAGE };
  return (await ask<Page<Video>>("GET", pageAddress("/api/videos", query, cursor), { signal })).data;
}

/** With the ETag that an edit has to send back. */
export function get(id: string, signal?: AbortSignal): Promise<Answer<Video>> {
  return ask<Video>("GET", `/api/videos/${encodeURIComponent(id)}`, { signal });
}

export async function status(id: string, signal?: AbortSignal): Promise<Status> {
  return (await ask<Status>("GET", `/api/videos/${encodeURIComponent(id)}/status`, { signal })).data;
}

export async function edit(id: string, edit: Edit, etag: string | null): Promise<void> {
  await ask("PUT", `/api/videos/${encodeURIComponent(id)}`, { body: edit, ifMatch: etag });
}

export async function remove(id: string): Promise<void> {
  await ask("DELETE", `/api/videos/${encodeURIComponent(id)}`);
}

// One's own account: profile, password, preferences, sessions and keys.
import { api, taken, type Answer } from "./http.ts";
import type { Stream } from "./saving.ts";
import type { ApiKey, CreatedApiKey, NewApiKey, Page, Preferences, ProfileChange, Session, User } from "./types.ts";

/** With the ETag that a change has to send back. */
export function profile(signal?: AbortSignal): Promise<Answer<User>> {
  return taken(api.GET("/api/auth/profile", { signal: signal ?? null }));
}

export function changeProfile(change: ProfileChange, etag: string | null): Promise<Answer<User>> {
  const header = etag ? { "If-Match": etag } : {};
  return taken(api.PUT("/api/auth/profile", { params: { header }, body: change }));
}

/** All other sessions end. Whoever signs in by another provider may have no current one. */
export async function changePassword(current: string | null, next: string): Promise<void> {
  await api.PUT("/api/auth/change-password", { body: { current_password: current, new_password: next } });
}

export async function preferences(signal?: AbortSignal): Promise<Preferences> {
  return (await taken(api.GET("/api/auth/preferences", { signal: signal ?? null }))).data;
}

/** All of them: there are never many. */
export async function sessions(signal: AbortSignal): Promise<Page<Session>> {
  return (await taken(api.GET("/api/auth/sessions", { signal }))).data;
}

export async function endSession(id: string): Promise<void> {
  await api.DELETE("/api/auth/sessions/{id}", { params: { path: { id } } });
}

/** All of them: there are never many. */
export async function keys(signal: AbortSignal): Promise<Page<ApiKey>> {
  return (await taken(api.GET("/api/auth/api-keys", { signal }))).data;
}

export async function createKey(wanted: NewApiKey): Promise<CreatedApiKey> {
  return (await taken(api.POST("/api/auth/api-keys", { body: wanted }))).data;
}

export async function revokeKey(id: string): Promise<void> {
  await api.DELETE("/api/auth/api-keys/{id}", { params: { path: { id } } });
}

/** Ends all sessions but this one. */
export async function endOthers(): Promise<void> {
  await api.DELETE("/api/auth/sessions");
}

/** Everything that is kept about somebody, as a ZIP archive whose length is not known before. */
export async function archive(id: string, withFilms: boolean, signal: AbortSignal): Promise<Stream> {
  const asked = api.GET("/api/users/{id}/export", { params: { path: { id }, query: { files: withFilms } }, parseAs: "stream", signal });
  return (await taken(asked)).data as Stream;
}

/** For good: nobody can bring it back. */
export async function deleteAccount(id: string): Promise<void> {
  await api.DELETE("/api/users/{id}", { params: { path: { id } } });
}

export async function changePreferences(change: Preferences): Promise<void> {
  await api.PUT("/api/auth/preferences", { body: change });
}

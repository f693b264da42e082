// Everybody's accounts, for administrators.
import { api, taken, type Answer } from "./http.ts";
import type { Happening, Page, Person, Role, Standing } from "./types.ts";

const PAGE = 30;
/** For so long a deleted account can be restored. */
export const GRACE_DAYS = 30;

export interface Filter {
  search: string;
  role: Role | "";
  status: Standing | "";
}

export async function list({ search, role, status }: Filter, cursor: string | null, signal: AbortSignal): Promise<Page<Person>> {
  const query = { limit: PAGE, ...(search && { q: search }), ...(role && { role }), ...(status && { status }), ...(cursor !== null && { cursor }) };
  return (await taken(api.GET("/api/users", { params: { query }, signal }))).data as Page<Person>;
}

export async function get(id: string, signal?: AbortSignal): Promise<Answer<Person>> {
  const { data, etag } = await taken(api.GET("/api/users/{id}", { params: { path: { id } }, signal: signal ?? null }));
  return { data: data as Person, etag };
}

export async function changeRole(id: string, role: Role): Promise<void> {
  await api.PUT("/api/users/{id}", { params: { path: { id } }, body: { role } });
}

/** Locks an account that is open, and the other way round. */
export async function toggle(id: string): Promise<void> {
  await api.POST("/api/users/{id}/toggle-status", { params: { path: { id } } });
}

export async function remove(id: string): Promise<void> {
  await api.DELETE("/api/users/{id}", { params: { path: { id }, query: { grace_days: GRACE_DAYS } } });
}

export async function restore(id: string): Promise<void> {
  await api.POST("/api/users/{id}/restore", { params: { path: { id } } });
}

/** What was done to an account and by its owner, newest first. */
export async function trail(id: string, cursor: string | null, signal: AbortSignal): Promise<Page<Happening>> {
  const query = { limit: PAGE, ...(cursor !== null && { cursor }) };
  return (await taken(api.GET("/api/users/{id}/audit", { params: { path: { id }, query }, signal }))).data;
}

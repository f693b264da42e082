// Signing up, in and out.
import { api, anybody, taken } from "./http.ts";
import { forget, keep, refreshToken } from "./session.ts";
import type { Registration } from "./types.ts";

/** Signs in too; or says what to do first, where an e-mail address has to be confirmed before that. */
export async function register(registration: Registration): Promise<string | null> {
  const answer = (await taken(anybody.POST("/api/auth/register", { body: registration }))).data;
  if (!("access_token" in answer)) return answer.detail;
  keep(answer);
  return null;
}

export async function login(email: string, password: string): Promise<void> {
  keep((await taken(anybody.POST("/api/auth/login", { body: { email, password } }))).data);
}

/** Signs out here at once; the server is told, but a server that is away does not keep anyone in. */
export async function logout(): Promise<void> {
  const token = refreshToken();
  try {
    await api.POST("/api/auth/logout", { body: token ? { refresh_token: token } : {} });
  } catch {
    // The refresh token ends by itself.
  } finally {
    forget();
  }
}

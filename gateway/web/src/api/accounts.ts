// Signing up, in and out.
import { ask } from "./http.ts";
import { forget, keep, refreshToken } from "./session.ts";
import type { SignedIn } from "./types.ts";

export interface Registration {
  email: string;
  password: string;
  first_name: string;
  last_name: string;
  username: string;
}

export async function register(registration: Registration): Promise<void> {
  const { data } = await ask<SignedIn>("POST", "/api/auth/register", { body: registration, anonymous: true });
  keep(data);
}

export async function login(email: string, password: string): Promise<void> {
  const { data } = await ask<SignedIn>("POST", "/api/auth/login", { body: { email, password }, anonymous: true });
  keep(data);
}

/** Signs out here at once; the server is told, but a server that is away does not keep anyone in. */
export async function logout(): Promise<void> {
  const token = refreshToken();
  try {
    await ask("POST", "/api/auth/logout", { body: token ? { refresh_token: token } : {} });
  } catch {
    // The refresh token ends by itself.
  } finally {
    forget();
  }
}

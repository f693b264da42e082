// Signing in by other providers, and by which of them an account is signed in.
import { anybody, api, taken } from "./http.ts";
import { keep } from "./session.ts";
import type { Identity, Page, Provider } from "./types.ts";

export async function providers(signal: AbortSignal): Promise<Provider[]> {
  return (await taken(anybody.GET("/api/auth/oidc/providers", { signal }))).data.items;
}

/** Signs in with the code that a provider's sign-in ended with. */
export async function exchange(code: string): Promise<void> {
  keep((await taken(anybody.POST("/api/auth/oidc/exchange", { body: { code } }))).data);
}

/** All of them: there are never many. */
export async function identities(signal: AbortSignal): Promise<Page<Identity>> {
  return (await taken(api.GET("/api/auth/identities", { signal }))).data;
}

/** Where to go to link a provider; the browser comes back to `returnTo`. */
export async function linkAddress(provider: string, returnTo: string): Promise<string> {
  const params = { path: { provider }, query: { return_to: returnTo, link: true } };
  return (await taken(api.GET("/api/auth/oidc/{provider}/login", { params }))).data.location;
}

/** Refused when nothing else would be left to sign in by. */
export async function unlink(id: string): Promise<void> {
  await api.DELETE("/api/auth/identities/{id}", { params: { path: { id } } });
}

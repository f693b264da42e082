// Signing in by other providers.
import { anybody, taken } from "./http.ts";
import { keep } from "./session.ts";
import type { Provider } from "./types.ts";

export async function providers(signal: AbortSignal): Promise<Provider[]> {
  return (await taken(anybody.GET("/api/auth/oidc/providers", { signal }))).data.items;
}

/** Signs in with the code that a provider's sign-in ended with. */
export async function exchange(code: string): Promise<void> {
  keep((await taken(anybody.POST("/api/auth/oidc/exchange", { body: { code } }))).data);
}

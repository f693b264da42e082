// One's picture: set, and taken away.
import { asPerson } from "./http.ts";
import type { Pictured } from "./types.ts";

/** Sends the picture as it is, and answers with the address where it is shown from now on. */
export async function setAvatar(id: string, picture: File): Promise<string | null> {
  const request = new Request(addressOf(id), { method: "PUT", cache: "no-store", headers: { "content-type": picture.type }, body: picture });
  const person = (await (await asPerson(request)).json()) as Pictured;
  return person.avatar_url ?? null;
}

export async function removeAvatar(id: string): Promise<void> {
  await asPerson(new Request(addressOf(id), { method: "DELETE", cache: "no-store" }));
}

function addressOf(id: string): string {
  return `/api/users/${encodeURIComponent(id)}/avatar`;
}

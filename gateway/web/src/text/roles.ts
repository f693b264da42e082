// Roles and states of accounts, in words for people.
import type { Role, Standing } from "../api/types.ts";

export const ROLES = [
  ["viewer", "Viewer"],
  ["creator", "Creator"],
  ["admin", "Administrator"],
  ["service", "Service"],
] as const satisfies readonly (readonly [Role, string])[];

export const STANDINGS = [
  ["active", "Active"],
  ["disabled", "Locked"],
  ["deleted", "Deleted"],
] as const satisfies readonly (readonly [Standing, string])[];

export function roleName(role: string): string {
  return nameIn(ROLES, role);
}

export function standingName(standing: string): string {
  return nameIn(STANDINGS, standing);
}

/** A word that is not known here is shown as it is. */
function nameIn(words: readonly (readonly [string, string])[], word: string): string {
  return words.find(([known]) => known === word)?.[1] ?? word;
}

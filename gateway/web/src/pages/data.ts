// What is kept about one: a copy of all of it, and deleting the account.
import { profile } from "../api/account.ts";
import { archivePanel } from "../parts/archive_panel.ts";
import { leaving } from "../parts/leaving.ts";
import { loaded } from "../parts/loaded.ts";
import { part, settings } from "../parts/settings.ts";
import type { View, Visit } from "../router.ts";

export function data({ signal }: Visit): View {
  const body = loaded(
    () => profile(signal),
    ({ data: who }) => [part("Download everything", ...archivePanel(who.id, signal)), part("Delete your account", ...leaving(who))],
  );
  return { title: "Your data", element: settings("Your data", body) };
}

// By which other providers one signs in: listed, linked, unlinked.
import { identities as list, providers, unlink } from "../api/providers.ts";
import type { Identity } from "../api/types.ts";
import { note } from "../announce.ts";
import { el } from "../dom.ts";
import { confirmed } from "../parts/confirm.ts";
import { loaded } from "../parts/loaded.ts";
import { linkButtons } from "../parts/providers.ts";
import { row, rowButton } from "../parts/row.ts";
import { rows } from "../parts/rows.ts";
import { part, settings } from "../parts/settings.ts";
import type { View, Visit } from "../router.ts";

const HERE = "/account/identities";

export function identities({ query, signal }: Visit): View {
  let linked = query.get("linked");
  // Said once, not again when the page is loaded anew.
  if (linked) history.replaceState(null, "", HERE);
  const listed = rows<Identity>({
    label: "Linked providers",
    testid: "identities",
    noun: "provider",
    read: async (_, until) => {
      const page = await list(until);
      const found = page.items.find(({ provider }) => provider === linked);
      if (found) note(`You can sign in by ${found.label} now.`);
      linked = null;
      return page;
    },
    row: shown,
    empty: () => el("p", { class: "lead", "data-testid": "no-identities" }, "None is linked. You sign in with your password."),
    signal,
  });

  function shown(identity: Identity): HTMLElement {
    const { label } = identity;
    const who = nameThere(identity);
    const name = who ? `${label}, ${who}` : label;
    return row({
      title: [label],
      lines: [who],
      actions: [rowButton("Unlink", `Unlink ${name}`, "unlink-identity", () => void take(identity, name))],
    });
  }

  async function take(identity: Identity, name: string): Promise<void> {
    const done = await confirmed({
      title: `Unlink ${identity.label}?`,
      text: `You cannot sign in by ${name} any more, until you link it again. Your account there stays as it is.`,
      sure: "Unlink",
      keep: "Keep it",
      testid: "confirm-unlink",
      act: () => unlink(identity.id),
    });
    if (!done) return;
    note("That provider is unlinked.");
    listed.remove(identity.id);
  }

  const choices = loaded(
    () => providers(signal),
    (found) => linkButtons(found, (provider) => `${HERE}?linked=${encodeURIComponent(provider)}`),
  );
  return { title: "Sign-in providers", element: settings("Sign-in providers", part("Linked to your account", listed.element), part("Link another one", choices)) };
}

/** As the provider told it when it was linked. */
function nameThere({ email, username }: Identity): string | null {
  const names = [username, email].filter((name, index, all) => name && all.indexOf(name) === index);
  return names.length > 0 ? names.join(" · ") : null;
}

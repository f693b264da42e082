// Keys for programs: made and shown once, listed, revoked.
import { createKey, keys as list, revokeKey } from "../api/account.ts";
import type { ApiKey, NewApiKey, Scope } from "../api/types.ts";
import { note } from "../announce.ts";
import { Problem } from "../api/problem.ts";
import { user } from "../api/session.ts";
import { el, fill } from "../dom.ts";
import { checks, type Box } from "../parts/checks.ts";
import { confirmed } from "../parts/confirm.ts";
import { choice, field, form } from "../parts/form.ts";
import { row, rowButton, tag } from "../parts/row.ts";
import { rows } from "../parts/rows.ts";
import { part, settings } from "../parts/settings.ts";
import { secret } from "../parts/secret.ts";
import type { View, Visit } from "../router.ts";
import { ago, day } from "../text/format.ts";

const SCOPES: (Box & { value: Scope })[] = [
  { value: "videos:read", title: "Look at videos", text: "Yours too, with what is made of them." },
  { value: "videos:write", title: "Change videos", text: "Upload, change and delete." },
  { value: "account:read", title: "Look at the account" },
  { value: "account:write", title: "Change the account", text: "Profile and preferences; never passwords, sessions or keys." },
  { value: "admin", title: "Administer", text: "All that only administrators may." },
];

const LIVES: [days: string, text: string][] = [
  ["30", "30 days"],
  ["90", "90 days"],
  ["365", "A year"],
  ["", "For ever"],
];

export function keys({ signal }: Visit): View {
  const listed = rows<ApiKey>({
    label: "API keys",
    testid: "keys",
    noun: "key",
    read: (_, until) => list(until),
    row: shown,
    empty: () => el("p", { class: "lead", "data-testid": "no-keys" }, "You have no keys. A program that is to act for you needs one."),
    signal,
  });
  const once = el("div", { hidden: true });
  const name = field({ name: "name", label: "Name", required: true, maxLength: 100, hint: "What uses the key, so that you know it again." });
  const life = choice({ name: "life", label: "Good for", choices: LIVES, value: "90", required: true });
  const isAdmin = user()?.role === "admin";
  const scopes = checks("scope", "What it may do", SCOPES.filter(({ value }) => isAdmin || value !== "admin"));
  const entry = form({
    testid: "key-form",
    fields: [name, life],
    extra: [scopes.element],
    submit: "Make a key",
    busy: "Making…",
    send: async () => {
      const ticked = scopes.ticked() as Scope[];
      scopes.complain(ticked.length === 0 ? "Tick at least one." : null);
      if (ticked.length === 0) return;
      const made = await createKey(wanted(name.input.value.trim(), life.input.value, ticked));
      entry.reset();
      once.hidden = false;
      fill(once, secret(`The key “${made.name}”`, made.key));
      once.querySelector("button")?.focus();
      await listed.reread();
    },
    explain: (problem) => {
      const complaint = problem.byField().get("scopes");
      if (complaint) scopes.complain(complaint);
      return complaint && problem.errors.length === 1 ? null : new Problem(problem.status, problem.title, problem.detail, problem.errors);
    },
  });

  function shown(key: ApiKey): HTMLElement {
    const over = key.expires_at ? Date.parse(key.expires_at) < Date.now() : false;
    const until = key.expires_at ? `${over ? "ended" : "good until"} ${day(key.expires_at)}` : "good for ever";
    return row({
      title: [key.name, over && tag("Over", "bad")],
      lines: [key.scopes.join(", "), `Made ${ago(key.created_at)}, ${until}`],
      actions: [rowButton("Revoke", `Revoke ${key.name}`, "revoke-key", () => void revoke(key))],
    });
  }

  async function revoke(key: ApiKey): Promise<void> {
    const done = await confirmed({
      title: "Revoke this key?",
      text: `Whatever uses “${key.name}” is refused from now on. This cannot be undone.`,
      sure: "Revoke",
      keep: "Keep it",
      testid: "confirm-revoke",
      act: () => revokeKey(key.id),
    });
    if (!done) return;
    note("The key is revoked.");
    listed.remove(key.id);
  }

  return { title: "API keys", element: settings("API keys", part("Your keys", once, listed.element), part("A new key", entry)) };
}

function wanted(name: string, days: string, scopes: Scope[]): NewApiKey {
  return { name, scopes, ...(days && { expires_in_days: Number(days) }) };
}

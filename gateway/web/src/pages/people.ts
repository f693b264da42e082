// Everybody who has an account, for administrators: found by a part of a name, by role and by state.
import { list } from "../api/people.ts";
import type { Person, Role, Standing } from "../api/types.ts";
import { el } from "../dom.ts";
import { avatar } from "../parts/avatar.ts";
import { choice, field } from "../parts/form.ts";
import { row, tag } from "../parts/row.ts";
import { rows } from "../parts/rows.ts";
import { forAdministrators } from "../parts/administrators.ts";
import type { View, Visit } from "../router.ts";
import { day } from "../text/format.ts";
import { ROLES, roleName, STANDINGS, standingName } from "../text/roles.ts";

/** Somebody who types on is not asked about after every letter. */
const PAUSE_MS = 250;

export function people({ query, signal }: Visit): View {
  const refused = forAdministrators("Users");
  if (refused) return refused;
  const search = field({ name: "search", label: "Search", type: "search", value: query.get("search") ?? "", hint: "A part of a name, user name or e-mail address." });
  const role = choice({ name: "role", label: "Role", choices: [["", "Any"], ...ROLES], value: query.get("role") ?? "" });
  const status = choice({ name: "status", label: "State", choices: [["", "Any"], ...STANDINGS], value: query.get("status") ?? "" });
  const wanted = () => ({ search: search.input.value.trim(), role: role.input.value as Role | "", status: status.input.value as Standing | "" });
  const listed = rows<Person>({
    label: "Users",
    testid: "people",
    noun: "user",
    read: (cursor, until) => list(wanted(), cursor, until),
    row: shown,
    empty: () => el("p", { class: "lead", "data-testid": "nobody" }, "Nobody is like that."),
    signal,
  });
  let timer: number | undefined;
  const again = (pauseMs: number) => {
    clearTimeout(timer);
    timer = window.setTimeout(() => {
      keepInAddress(wanted());
      void listed.reread();
    }, pauseMs);
  };
  signal.addEventListener("abort", () => clearTimeout(timer));
  search.input.addEventListener("input", () => again(PAUSE_MS));
  for (const each of [role, status]) each.input.addEventListener("change", () => again(0));
  const filters = el("form", { class: "filters", role: "search", on: { submit: (event) => event.preventDefault() } }, search.element, role.element, status.element);
  const element = el("div", { class: "page" }, el("h1", { class: "page-title" }, "Users"), filters, listed.element);
  return { title: "Users", element };
}

function shown(person: Person): HTMLElement {
  const name = `${person.first_name} ${person.last_name}`.trim() || person.username;
  const link = el("a", { href: `/admin/users/${encodeURIComponent(person.id)}`, "data-testid": "person-link" }, name);
  return row({ title: [avatar(person), link, ...standing(person)], lines: [`${person.username} · ${person.email}`, `Here since ${day(person.created_at)}`] });
}

/** What is special about somebody: the role, and whether the account may be used. */
export function standing(person: Person): HTMLElement[] {
  const signs = [tag(roleName(person.role), person.role === "admin" ? "good" : "plain")];
  if (person.status !== "active") signs.push(tag(standingName(person.status), "bad"));
  return signs;
}

/** So that reloading, and coming back, show the same people. */
function keepInAddress(filter: Record<string, string>): void {
  const query = new URLSearchParams(Object.entries(filter).filter(([, value]) => value !== ""));
  history.replaceState(null, "", query.size > 0 ? `${location.pathname}?${query}` : location.pathname);
}

// One person, for administrators: role, locking, deleting and restoring, and what happened to the account.
import { GRACE_DAYS, changeRole, get, remove, restore, toggle, trail } from "../api/people.ts";
import type { Happening, Person, Role } from "../api/types.ts";
import { user } from "../api/session.ts";
import { note } from "../announce.ts";
import { el, fill, type Child } from "../dom.ts";
import { forAdministrators } from "../parts/administrators.ts";
import { avatar } from "../parts/avatar.ts";
import { confirmed, type Question } from "../parts/confirm.ts";
import { choice, form } from "../parts/form.ts";
import { loaded } from "../parts/loaded.ts";
import { row } from "../parts/row.ts";
import { rows, type Rows } from "../parts/rows.ts";
import { part } from "../parts/settings.ts";
import { entitle, type View, type Visit } from "../router.ts";
import { deviceOf } from "../text/devices.ts";
import { ago, day } from "../text/format.ts";
import { happeningText } from "../text/happenings.ts";
import { ROLES } from "../text/roles.ts";
import { standing } from "./people.ts";

export function person({ id, signal }: Visit): View {
  const refused = forAdministrators("User");
  if (refused) return refused;
  const history = rows<Happening>({
    label: "What happened",
    testid: "trail",
    noun: "event",
    read: (cursor, until) => trail(id, cursor, until),
    row: happened,
    empty: () => el("p", { class: "lead" }, "Nothing is known."),
    signal,
  });
  const body = loaded(
    () => get(id, signal),
    ({ data }) => [shownPerson(data, history), part("What happened", history.element)],
  );
  const back = el("p", { class: "aside" }, el("a", { href: "/admin/users" }, "All users"));
  return { title: "User", element: el("div", { class: "page page-middle" }, back, body) };
}

function shownPerson(first: Person, history: Rows<Happening>): HTMLElement {
  const place = el("div", { class: "settings-body", "data-testid": "person" });
  const show = (somebody: Person) => {
    const name = `${somebody.first_name} ${somebody.last_name}`.trim() || somebody.username;
    entitle(name);
    const facts = el("p", { class: "lead" }, `${somebody.username} · ${somebody.email} · here since ${day(somebody.created_at)}`);
    const head = el("div", { class: "person-head" }, avatar(somebody, "large"), el("h1", { class: "page-title" }, name));
    fill(place, head, el("p", { class: "row-title", "data-testid": "standing" }, ...standing(somebody)), facts, ...controls(somebody, name, after));
  };
  const after = async () => {
    show((await get(first.id)).data);
    await history.reread();
  };
  show(first);
  return place;
}

function controls(somebody: Person, name: string, after: () => Promise<void>): Child[] {
  if (somebody.id === user()?.id) return [el("p", { class: "aside" }, "This is you. Another administrator can change your role, or lock or delete your account.")];
  if (somebody.status === "deleted") return [deletedNow(somebody, name, after)];
  return [part("Role", roleForm(somebody, after)), part("Account", el("div", { class: "actions" }, ...accountButtons(somebody, name, after)))];
}

function roleForm(somebody: Person, after: () => Promise<void>): HTMLElement {
  const role = choice({ name: "role", label: "Role", choices: ROLES, value: somebody.role, required: true });
  return form({
    testid: "role-form",
    fields: [role],
    submit: "Change role",
    busy: "Changing…",
    send: async () => {
      await changeRole(somebody.id, role.input.value as Role);
      note("The role is changed.");
      await after();
    },
  });
}

function accountButtons(somebody: Person, name: string, after: () => Promise<void>): HTMLElement[] {
  const locked = somebody.status === "disabled";
  const lock = locked
    ? button("Unlock", "unlock", after, { title: `Unlock ${name}?`, text: "They may sign in again.", sure: "Unlock", keep: "Leave it locked", act: () => toggle(somebody.id) }, "The account is unlocked.")
    : button("Lock", "lock", after, { title: `Lock ${name}?`, text: "They are signed out at once and cannot sign in until the account is unlocked.", sure: "Lock", keep: "Leave it open", act: () => toggle(somebody.id) }, "The account is locked.");
  const question = { title: `Delete ${name}?`, text: `They are signed out at once. For ${GRACE_DAYS} days you can restore the account; then everything about them is erased.`, sure: "Delete", keep: "Keep it", act: () => remove(somebody.id) };
  return [lock, button("Delete", "delete", after, question, "The account is deleted.")];
}

function deletedNow(somebody: Person, name: string, after: () => Promise<void>): HTMLElement {
  const until = somebody.erase_at ? `Everything about them is erased on ${day(somebody.erase_at)}.` : "Everything about them is going to be erased.";
  const question = { title: `Restore ${name}?`, text: "The account is as it was, and they may sign in again.", sure: "Restore", keep: "Leave it deleted", act: () => restore(somebody.id) };
  return part("This account is deleted", el("p", { class: "lead" }, until), el("div", { class: "actions" }, button("Restore", "restore", after, question, "The account is restored.")));
}

function button(text: string, word: string, after: () => Promise<void>, question: Omit<Question, "testid">, done: string): HTMLElement {
  const element = el("button", { type: "button", class: "button button-quiet", "data-testid": `${word}-person` }, text);
  element.addEventListener("click", async () => {
    if (!(await confirmed({ ...question, testid: `confirm-${word}` }))) return;
    note(done);
    await after();
  });
  return element;
}

function happened(happening: Happening): HTMLElement {
  const { event, detail, at, by } = happening;
  const whom = by.id ? `${by.kind} ${by.id}` : by.kind;
  const when = el("time", { datetime: at, title: at }, ago(at));
  return row({ title: [happeningText(event, detail ?? null)], lines: [`by ${whom}`, clientOf(happening)], actions: [when] });
}

/** Where somebody signed in from. */
function clientOf({ client }: Happening): string | null {
  const { address, user_agent: agent } = (client ?? {}) as { address?: string; user_agent?: string };
  return address || agent ? `from ${[address, agent && deviceOf(agent)].filter(Boolean).join(", ")}` : null;
}

// Where one is signed in, and signing out there.
import { endOthers, endSession, sessions as list } from "../api/account.ts";
import type { Session } from "../api/types.ts";
import { note } from "../announce.ts";
import { el } from "../dom.ts";
import { confirmed } from "../parts/confirm.ts";
import { row, rowButton, tag } from "../parts/row.ts";
import { rows } from "../parts/rows.ts";
import { part, settings } from "../parts/settings.ts";
import type { View, Visit } from "../router.ts";
import { deviceOf } from "../text/devices.ts";
import { ago, day } from "../text/format.ts";

export function sessions({ signal }: Visit): View {
  const listed = rows<Session>({
    label: "Sessions",
    testid: "sessions",
    noun: "session",
    read: (_, until) => list(until),
    row: shown,
    empty: () => el("p", { class: "lead" }, "There are no sessions."),
    signal,
  });

  function shown(session: Session): HTMLElement {
    const device = deviceOf(session.user_agent ?? null);
    const end = rowButton("Sign out", `Sign out ${device}`, "end-session", () => void endOne(session, device));
    return row({
      title: [device, session.current && tag("This one", "good")],
      lines: [session.address ?? null, times(session)],
      actions: session.current ? [] : [end],
    });
  }

  async function endOne(session: Session, device: string): Promise<void> {
    const done = await confirmed({
      title: "Sign out there?",
      text: `Whoever uses ${device} has to sign in again.`,
      sure: "Sign out",
      keep: "Leave it",
      testid: "confirm-end-session",
      act: () => endSession(session.id),
    });
    if (!done) return;
    note("That session has ended.");
    listed.remove(session.id);
  }

  async function endTheOthers(): Promise<void> {
    const done = await confirmed({
      title: "Sign out everywhere else?",
      text: "Only this session goes on. Do this when something seems wrong, and change your password too.",
      sure: "Sign out everywhere else",
      keep: "Leave them",
      testid: "confirm-end-others",
      act: endOthers,
    });
    if (!done) return;
    note("All other sessions have ended.");
    await listed.reread();
  }

  const others = el("button", { type: "button", class: "button button-quiet", "data-testid": "end-others", on: { click: () => void endTheOthers() } }, "Sign out everywhere else");
  return { title: "Sessions", element: settings("Sessions", part("Where you are signed in", listed.element, el("div", { class: "actions" }, others))) };
}

/** When it began and was last used, as far as that is known, and how long it goes on by itself. */
function times({ created_at: begun, last_used_at: used, expires_at: over }: Session): string {
  const said = [begun && `Signed in ${ago(begun)}`, used && `last used ${ago(used)}`, `good until ${day(over)}`];
  return said.filter(Boolean).join(", ");
}

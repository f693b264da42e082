// Who one is here: picture, names, e-mail address, password.
import { resendConfirmation } from "../api/links.ts";
import { changePassword, changeProfile, profile as read } from "../api/account.ts";
import { Problem, asProblem } from "../api/problem.ts";
import { changed } from "../api/session.ts";
import type { User } from "../api/types.ts";
import { note } from "../announce.ts";
import { el, fill, type Child } from "../dom.ts";
import { field, form } from "../parts/form.ts";
import { loaded } from "../parts/loaded.ts";
import { picture } from "../parts/picture.ts";
import { rowButton, tag } from "../parts/row.ts";
import { part, settings } from "../parts/settings.ts";
import type { View, Visit } from "../router.ts";
import { roleName } from "../text/roles.ts";
import { day } from "../text/format.ts";

export function profile({ signal }: Visit): View {
  const body = loaded(
    () => read(signal),
    (answer) => {
      const known = { user: answer.data, etag: answer.etag };
      // What the frame shows may be older.
      changed(known.user);
      return [part("Picture", picture(known.user, (avatarUrl) => pictured(known, avatarUrl))), part("About you", ...aboutYou(known)), part("Password", passwordForm())];
    },
  );
  return { title: "Profile", element: settings("Profile", body) };
}

/** The profile as it was last read, and its version. */
interface Known {
  user: User;
  etag: string | null;
}

/** Another picture is another version of the profile, which may be saved over when nothing else is different. */
async function pictured(known: Known, avatarUrl: string | null): Promise<void> {
  known.user = { ...known.user, avatar_url: avatarUrl };
  changed(known.user);
  try {
    const now = await read();
    const isSame = (["first_name", "last_name", "username", "email"] as const).every((name) => now.data[name] === known.user[name]);
    if (isSame) known.etag = now.etag;
  } catch {
    // Saving asks again.
  }
}

function aboutYou(known: Known): Child[] {
  const { user } = known;
  const fields = {
    first_name: field({ name: "first_name", label: "First name", autocomplete: "given-name", required: true, value: user.first_name }),
    last_name: field({ name: "last_name", label: "Last name", autocomplete: "family-name", required: true, value: user.last_name }),
    username: field({ name: "username", label: "User name", autocomplete: "nickname", required: true, value: user.username, hint: "Shown beside your films." }),
    email: field({ name: "email", label: "E-mail", type: "email", autocomplete: "email", required: true, value: user.email }),
  };
  const proof = field({ name: "current_password", label: "Current password", type: "password", autocomplete: "current-password", hint: "Another e-mail address needs it, and has to be confirmed anew." });
  proof.element.hidden = true;
  fields.email.input.addEventListener("input", () => {
    proof.element.hidden = value("email") === known.user.email;
  });
  const value = (name: keyof typeof fields) => fields[name].input.value.trim();
  const entry = form({
    testid: "profile-form",
    fields: [...Object.values(fields), proof],
    submit: "Save",
    busy: "Saving…",
    explain: atPassword,
    send: async () => {
      try {
        const change = { first_name: value("first_name"), last_name: value("last_name"), username: value("username"), email: value("email") };
        const password = proof.element.hidden ? {} : { current_password: proof.input.value };
        const saved = await changeProfile({ ...change, ...password }, known.etag);
        known.etag = saved.etag;
        known.user = saved.data;
        show(known.user);
        changed(known.user);
        note("Your profile is saved.");
      } catch (thrown) {
        const problem = asProblem(thrown);
        if (problem.status !== 412) throw thrown;
        known.etag = (await read()).etag;
        throw new Problem(412, "Changed meanwhile", "Your profile was changed elsewhere meanwhile. What you wrote is still here: save again to replace it.");
      }
    },
  });
  entry.prepend(el("div", { class: "field-pair" }, fields.first_name.element, fields.last_name.element));
  const state = el("p", { class: "row-title", "data-testid": "email-state" });
  const show = ({ email_confirmed: confirmed }: User) => {
    const again = () => rowButton("Send the link again", "Send the link again", "resend-confirmation", () => void sendAgain());
    fill(state, confirmed ? tag("Confirmed", "good") : tag("Not confirmed yet", "bad"), confirmed ? null : again());
    proof.element.hidden = true;
    (proof.input as HTMLInputElement).value = "";
  };
  show(user);
  fields.email.element.append(state);
  return [el("p", { class: "lead" }, `${roleName(user.role)}, here since ${day(user.created_at)}.`), entry];
}

function passwordForm(): HTMLElement {
  const current = field({ name: "current_password", label: "Current password", type: "password", autocomplete: "current-password", hint: "Leave it empty if you have none yet and sign in by another provider." });
  const next = field({ name: "new_password", label: "New password", type: "password", autocomplete: "new-password", required: true, hint: "Longer is better: a few words make a good one. All other sessions end." });
  const entry = form({
    testid: "password-form",
    fields: [current, next],
    submit: "Change password",
    busy: "Changing…",
    send: async () => {
      await changePassword(current.input.value || null, next.input.value);
      entry.reset();
      note("Your password is changed, and all other sessions have ended.");
    },
    explain: atPassword,
  });
  return entry;
}

/** A wrong password is told at the field that it stands in. */
function atPassword(problem: Problem): Problem {
  return problem.status === 403 ? new Problem(403, problem.title, problem.detail, [{ pointer: "/current_password", detail: problem.detail }]) : problem;
}

async function sendAgain(): Promise<void> {
  try {
    await resendConfirmation();
    note("A mail with the link is on its way.");
  } catch (thrown) {
    note(asProblem(thrown).detail, "bad");
  }
}

// Deleting one's own account: what that does, and the proof that it is meant.
import { deleteAccount } from "../api/account.ts";
import { forget } from "../api/session.ts";
import type { User } from "../api/types.ts";
import { el, type Child } from "../dom.ts";
import { go } from "../router.ts";
import { field, form } from "./form.ts";

const CONSEQUENCES = [
  "You are signed out everywhere, and your API keys stop working.",
  "Your profile, your picture, and everything else that is kept about you is erased.",
  "Your films are deleted, with everything made from them.",
  "Your user name and e-mail address are free for others.",
];

export function leaving(who: User): Child[] {
  if (who.role === "admin") {
    const why = "You are an administrator, and administrators cannot delete themselves, so that there is always one left. Another administrator can delete your account, or give you another role; then you can do it here.";
    return [el("p", { class: "lead", "data-testid": "cannot-leave" }, why)];
  }
  const list = el("ul", { class: "consequences" }, ...CONSEQUENCES.map((text) => el("li", {}, text)));
  return [el("p", { class: "lead" }, "This happens at once, and cannot be undone by anybody:"), list, leavingForm(who)];
}

function leavingForm({ id, username }: User): HTMLElement {
  const proof = field({ name: "confirmation", label: `Your user name, ${username}`, autocomplete: "off", required: true, hint: "Type it to say that you mean it." });
  return form({
    testid: "leaving-form",
    fields: [proof],
    submit: "Delete my account for good",
    dangerous: true,
    busy: "Deleting…",
    send: async () => {
      if (proof.input.value.trim() !== username) {
        proof.complain(`This is not your user name. Type ${username} to delete the account.`);
        proof.input.focus();
        return;
      }
      await deleteAccount(id);
      forget();
      go("/goodbye", { replace: true });
    },
  });
}

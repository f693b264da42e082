// One's own picture: shown, chosen from a file, removed.
import { note } from "../announce.ts";
import { removeAvatar, setAvatar } from "../api/avatar.ts";
import { asProblem } from "../api/problem.ts";
import type { User } from "../api/types.ts";
import { el, fill, write } from "../dom.ts";
import { PICTURE_HINT, PICTURE_KINDS, unfit } from "../text/pictures.ts";
import { avatar } from "./avatar.ts";

const CHOOSE = "Choose a picture";

/** `after` is told where the picture is from now on, or that there is none. */
export function picture(user: User, after: (avatarUrl: string | null) => Promise<void>): HTMLElement {
  const shown = el("div", { "data-testid": "picture" });
  const hint = el("p", { class: "hint", id: "picture-hint" });
  const error = el("p", { class: "field-error", id: "picture-error", role: "alert", hidden: true, "data-testid": "error-picture" });
  const text = el("span", {}, CHOOSE);
  const chooser = el("input", { type: "file", class: "visually-hidden", accept: PICTURE_KINDS.join(), "aria-describedby": `${hint.id} ${error.id}`, "data-testid": "picture-file" });
  const remove = el("button", { type: "button", class: "button button-quiet", "data-testid": "remove-picture" }, "Remove it");

  function show(avatarUrl: string | null): void {
    fill(shown, avatar({ ...user, avatar_url: avatarUrl }, "large"));
    write(hint, avatarUrl ? PICTURE_HINT : `Your initials stand in for it. ${PICTURE_HINT}`);
    remove.hidden = avatarUrl === null;
  }

  function complain(complaint: string | null): void {
    error.hidden = complaint === null;
    write(error, complaint ?? "");
    chooser.toggleAttribute("aria-invalid", complaint !== null);
  }

  async function change(busy: string, act: () => Promise<string | null>, done: string): Promise<void> {
    complain(null);
    for (const control of [chooser, remove]) control.disabled = true;
    write(text, busy);
    try {
      const avatarUrl = await act();
      show(avatarUrl);
      await after(avatarUrl);
      note(done);
    } catch (thrown) {
      complain(asProblem(thrown).detail);
    } finally {
      for (const control of [chooser, remove]) control.disabled = false;
      write(text, CHOOSE);
      // What was pressed could not keep the focus meanwhile, or is gone.
      chooser.focus();
    }
  }

  chooser.addEventListener("change", () => {
    const file = chooser.files?.[0];
    if (!file) return;
    const complaint = unfit(file);
    if (complaint) complain(complaint);
    else void change("Sending…", () => setAvatar(user.id, file), "Your picture is set.");
    // The same file may be chosen again.
    chooser.value = "";
  });
  remove.addEventListener("click", () => void change("Removing…", () => removeAvatar(user.id).then(() => null), "Your picture is removed."));
  show(user.avatar_url ?? null);
  const choose = el("label", { class: "button button-quiet button-file" }, text, chooser);
  return el("div", { class: "picture" }, shown, el("div", { class: "picture-side" }, el("div", { class: "actions" }, choose, remove), hint, error));
}

// Setting a new password, by the link from the mail; its secret is behind the #, which no server sees.
import { resetPassword as set } from "../api/links.ts";
import { el, fill } from "../dom.ts";
import { note } from "../announce.ts";
import { field, form } from "../parts/form.ts";
import { go, type View } from "../router.ts";

let token = "";

export function resetPassword(): View {
  const brought = location.hash.slice(1).replace(/^token=/, "");
  if (brought) {
    token = brought;
    // Nobody should find it in the history.
    history.replaceState(null, "", location.pathname);
  }
  const element = el("div", { class: "page page-narrow" }, el("h1", { class: "page-title" }, "Set a new password"));
  if (!token) {
    element.append(el("p", { class: "lead", "data-testid": "no-token" }, "This page is reached by the link in the mail. "), el("a", { href: "/forgot-password" }, "Ask for a link"));
    return { title: "Set a new password", element };
  }
  const password = field({ name: "password", label: "New password", type: "password", autocomplete: "new-password", required: true, hint: "Longer is better: a few words make a good one." });
  const entry = form({
    testid: "reset-form",
    fields: [password],
    submit: "Set password",
    busy: "Setting…",
    send: async () => {
      await set(token, password.input.value);
      token = "";
      note("Your password is set. Sign in with it.");
      go("/login", { replace: true });
    },
    explain: (problem) => {
      if (problem.byField().has("password")) return problem;
      fill(again, problem.status < 500 && problem.status > 0 ? el("a", { href: "/forgot-password", "data-testid": "forgot-link" }, "Ask for another link") : null);
      return problem;
    },
  });
  const again = el("p", { class: "aside" });
  element.append(el("p", { class: "lead" }, "All sessions end, and you sign in anew."), entry, again);
  return { title: "Set a new password", element };
}

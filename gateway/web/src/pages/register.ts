// Creating an account; one is signed in at once, or told to confirm the e-mail address first.
import { register as signUp } from "../api/accounts.ts";
import { Problem } from "../api/problem.ts";
import { el } from "../dom.ts";
import { field, form } from "../parts/form.ts";
import { go, nextAddress, type View, type Visit } from "../router.ts";

export function register({ query }: Visit): View {
  const fields = {
    first_name: field({ name: "first_name", label: "First name", autocomplete: "given-name", required: true }),
    last_name: field({ name: "last_name", label: "Last name", autocomplete: "family-name", required: true }),
    username: field({ name: "username", label: "User name", autocomplete: "nickname", required: true, hint: "Shown beside your films." }),
    email: field({ name: "email", label: "E-mail", type: "email", autocomplete: "username", required: true }),
    password: field({ name: "password", label: "Password", type: "password", autocomplete: "new-password", required: true, hint: "Longer is better: a few words make a good one." }),
  };
  const value = (name: keyof typeof fields) => fields[name].input.value;
  const entry = form({
    testid: "register-form",
    fields: Object.values(fields),
    submit: "Create account",
    busy: "Creating…",
    send: async () => {
      const first = await signUp({
        email: value("email").trim(),
        password: value("password"),
        first_name: value("first_name").trim(),
        last_name: value("last_name").trim(),
        username: value("username").trim(),
      });
      if (first) entry.replaceWith(el("p", { class: "lead", role: "status" }, `${first}.`));
      else go(nextAddress(query), { replace: true });
    },
    explain: (problem) => (problem.status === 409 && problem.errors.length === 0 ? taken(problem) : problem),
  });
  entry.prepend(el("div", { class: "field-pair" }, fields.first_name.element, fields.last_name.element));
  const next = query.get("next");
  const login = next ? `/login?next=${encodeURIComponent(next)}` : "/login";
  const element = el(
    "div",
    { class: "page page-narrow" },
    el("h1", { class: "page-title" }, "Create account"),
    entry,
    el("p", { class: "aside" }, "Already have one? ", el("a", { href: login }, "Sign in")),
  );
  return { title: "Create account", element };
}

/** A conflict that names no field is shown at the field its words are about. */
function taken(problem: Problem): Problem {
  const about = /e-?mail/i.test(problem.detail) ? "email" : /user ?name/i.test(problem.detail) ? "username" : null;
  if (!about) return problem;
  return new Problem(problem.status, problem.title, problem.detail, [{ pointer: `/${about}`, detail: problem.detail }]);
}

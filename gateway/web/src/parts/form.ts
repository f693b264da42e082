// Forms whose complaints stand at the field they are about.
import { asProblem, isAbort, type Problem } from "../api/problem.ts";
import { el, write, type Props } from "../dom.ts";

export interface FieldOptions {
  name: string;
  label: string;
  type?: string;
  value?: string;
  hint?: string;
  autocomplete?: string;
  required?: boolean;
  maxLength?: number;
  multiline?: boolean;
}

export interface Field {
  name: string;
  element: HTMLElement;
  input: HTMLInputElement | HTMLTextAreaElement | HTMLSelectElement;
  complain: (text: string | null) => void;
}

let count = 0;

export function field(options: FieldOptions): Field {
  const common = { ...attributesOf(options), maxlength: options.maxLength, autocomplete: options.autocomplete };
  const input = options.multiline
    ? el("textarea", { ...common, rows: 4 })
    : el("input", { ...common, type: options.type ?? "text", ...(options.type === "email" ? { inputmode: "email", autocapitalize: "none", spellcheck: "false" } : {}) });
  input.value = options.value ?? "";
  return framed(options, input);
}

/** A field that offers words to choose from: what is sent, and what is shown. */
export function choice(options: FieldOptions & { choices: readonly (readonly [value: string, text: string])[] }): Field {
  const entries = options.choices.map(([value, text]) => el("option", { value, selected: value === options.value }, text));
  return framed(options, el("select", attributesOf(options), ...entries));
}

function attributesOf(options: FieldOptions): Props {
  return { id: `field-${++count}`, name: options.name, class: "input", required: options.required ?? false, "data-testid": `field-${options.name}` };
}

function framed(options: FieldOptions, input: Field["input"]): Field {
  const hint = options.hint ? el("p", { class: "hint", id: `${input.id}-hint` }, options.hint) : null;
  const error = el("p", { class: "field-error", id: `${input.id}-error`, hidden: true, "data-testid": `error-${options.name}` });
  const described = [hint ? hint.id : null, error.id].filter(Boolean).join(" ");
  input.setAttribute("aria-describedby", described);
  const label = el("label", { for: input.id }, options.label, options.required === false ? el("span", { class: "optional" }, " (optional)") : null);
  const complain = (text: string | null) => {
    error.hidden = text === null;
    write(error, text ?? "");
    if (text === null) input.removeAttribute("aria-invalid");
    else input.setAttribute("aria-invalid", "true");
  };
  input.addEventListener("input", () => complain(null));
  return { name: options.name, element: el("div", { class: "field" }, label, input, hint, error), input, complain };
}

export interface FormOptions {
  testid: string;
  fields: Field[];
  /** Anything between the fields and the button. */
  extra?: HTMLElement[];
  submit: string;
  /** Sending cannot be undone. */
  dangerous?: boolean;
  busy: string;
  send: () => Promise<void>;
  /** Turns a problem into a better one for this form, or deals with it and answers null. */
  explain?: (problem: Problem) => Problem | null;
}

export function form(options: FormOptions): HTMLFormElement {
  const alert = el("p", { class: "form-error", role: "alert", hidden: true, "data-testid": "form-error" });
  const button = el("button", { type: "submit", class: options.dangerous ? "button button-danger" : "button", "data-testid": options.testid.replace(/-form$/, "-submit") }, options.submit);
  const element = el("form", { class: "form", novalidate: true, "data-testid": options.testid });
  element.append(...options.fields.map((each) => each.element), ...(options.extra ?? []), alert, button);
  const tell = (text: string | null) => {
    alert.hidden = text === null;
    write(alert, text ?? "");
  };
  element.addEventListener("submit", (event) => {
    event.preventDefault();
    tell(null);
    if (button.disabled || !complete(options.fields)) return;
    button.disabled = true;
    write(button, options.busy);
    options
      .send()
      .catch((thrown: unknown) => {
        if (isAbort(thrown)) return;
        const problem = options.explain ? options.explain(asProblem(thrown)) : asProblem(thrown);
        if (problem) tell(spread(problem, options.fields));
      })
      .finally(() => {
        button.disabled = false;
        write(button, options.submit);
      });
  });
  return element;
}

/** Puts complaints at their fields and answers with what is left to say for the whole form. */
export function spread(problem: Problem, fields: Field[]): string | null {
  const complaints = problem.byField();
  let first: Field | null = null;
  for (const each of fields) {
    const complaint = complaints.get(each.name);
    if (!complaint) continue;
    each.complain(complaint);
    complaints.delete(each.name);
    first ??= each;
  }
  first?.input.focus();
  const rest = [...complaints.values()];
  if (rest.length > 0) return rest.join(" ");
  return first ? null : problem.detail;
}

/** Only what the browser knows for certain; everything else is the server's to judge. */
function complete(fields: Field[]): boolean {
  let first: Field | null = null;
  for (const each of fields) {
    const missing = each.input.required && each.input.value.trim() === "";
    const malformed = each.input instanceof HTMLInputElement && each.input.type === "email" && each.input.validity.typeMismatch;
    if (!missing && !malformed) continue;
    each.complain(missing ? "Please fill this in." : "This does not look like an e-mail address.");
    first ??= each;
  }
  first?.input.focus();
  return first === null;
}

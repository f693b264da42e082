// Boxes to tick, under one heading.
import { el } from "../dom.ts";

export interface Box {
  value: string;
  title: string;
  text?: string;
  ticked?: boolean;
}

export interface Checks {
  element: HTMLFieldSetElement;
  ticked: () => string[];
  complain: (text: string | null) => void;
}

export function checks(name: string, legend: string, boxes: Box[]): Checks {
  const error = el("p", { class: "field-error", id: `${name}-error`, hidden: true, "data-testid": `error-${name}` });
  const inputs = boxes.map(({ value, ticked }) => el("input", { type: "checkbox", name, value, checked: ticked ?? false, "data-testid": `${name}-${value}` }));
  const labels = boxes.map(({ title, text }, index) =>
    el("label", { class: "check" }, inputs[index], el("span", {}, title), text ? el("span", { class: "check-text" }, text) : null),
  );
  const element = el("fieldset", { class: "checks", "aria-describedby": error.id }, el("legend", {}, legend), ...labels, error);
  return {
    element,
    ticked: () => inputs.filter((input) => input.checked).map((input) => input.value),
    complain: (text) => {
      error.hidden = text === null;
      error.textContent = text ?? "";
    },
  };
}

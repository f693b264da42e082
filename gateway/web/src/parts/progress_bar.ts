// A progress bar that is also said: a value for screen readers, and a word at every quarter.
import { say } from "../announce.ts";
import { el } from "../dom.ts";

export interface ProgressBar {
  element: HTMLElement;
  show: (percent: number, valueText?: string) => void;
}

export function progressBar(label: string, testid: string): ProgressBar {
  const band = el("div", { class: "progress-band" });
  const element = el(
    "div",
    { class: "progress", role: "progressbar", "aria-label": label, "aria-valuemin": 0, "aria-valuemax": 100, "aria-valuenow": 0, "data-testid": testid },
    band,
  );
  let quarter = 0;
  const show = (percent: number, valueText?: string) => {
    const value = Math.min(100, Math.max(0, percent));
    band.style.setProperty("--done", `${value.toFixed(1)}%`);
    element.setAttribute("aria-valuenow", String(Math.floor(value)));
    if (valueText) element.setAttribute("aria-valuetext", valueText);
    const reached = Math.floor(value / 25);
    if (reached > quarter) say(`${label}: ${reached * 25} percent`);
    quarter = reached;
  };
  return { element, show };
}

// Dark or light: the system's wish until the button is pressed, then the person's.
import { el, fill } from "./dom.ts";
import { icon } from "./icons.ts";

const KEY = "spool.theme";
type Theme = "dark" | "light";

const systemDark = matchMedia("(prefers-color-scheme: dark)");

export function themeButton(): HTMLButtonElement {
  const button = el("button", { type: "button", class: "icon-button", "data-testid": "theme-toggle", on: { click: toggle } });
  const show = () => {
    const other = current() === "dark" ? "light" : "dark";
    button.setAttribute("aria-label", `Use the ${other} theme`);
    button.title = `Use the ${other} theme`;
    fill(button, icon(other === "light" ? "sun" : "moon"));
  };
  function toggle(): void {
    choose(current() === "dark" ? "light" : "dark");
    show();
  }
  systemDark.addEventListener("change", show);
  show();
  return button;
}

function current(): Theme {
  const chosen = document.documentElement.dataset["theme"];
  if (chosen === "dark" || chosen === "light") return chosen;
  return systemDark.matches ? "dark" : "light";
}

function choose(theme: Theme): void {
  document.documentElement.dataset["theme"] = theme;
  try {
    localStorage.setItem(KEY, theme);
  } catch {
    // Not kept for the next visit, but used for this one.
  }
}

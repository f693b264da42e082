// A copy of everything that is kept about one, fetched and saved as a file, with a way to stop.
import { note, say } from "../announce.ts";
import { archive } from "../api/account.ts";
import { asProblem, isAbort } from "../api/problem.ts";
import { keeper, poured } from "../api/saving.ts";
import { el, write, type Child } from "../dom.ts";
import { bytes } from "../text/format.ts";
import { checks } from "./checks.ts";

/** How often somebody who does not see the page is told how much has come. */
const SAY_MS = 10_000;

export function archivePanel(id: string, signal: AbortSignal): Child[] {
  const what = checks("archive", "What comes along", [{ value: "films", title: "My films, as I uploaded them", text: "Without them it is small." }]);
  const start = el("button", { type: "button", class: "button", "data-testid": "archive-start" }, "Download");
  const stop = el("button", { type: "button", class: "button button-quiet", hidden: true, "data-testid": "archive-stop" }, "Stop");
  const state = el("p", { class: "hint", hidden: true, "data-testid": "archive-state" });
  const alert = el("p", { class: "form-error", role: "alert", hidden: true, "data-testid": "archive-error" });
  let stopper = new AbortController();

  function running(is: boolean): void {
    start.disabled = is;
    stop.hidden = !is;
    write(start, is ? "Downloading…" : "Download");
    what.element.disabled = is;
  }

  function tell(text: string | null): void {
    state.hidden = text === null;
    write(state, text ?? "");
  }

  async function download(): Promise<void> {
    alert.hidden = true;
    stopper = new AbortController();
    const name = `spool-export-${new Date().toISOString().slice(0, 10)}.zip`;
    try {
      const kept = await keeper(name);
      running(true);
      tell("It is being made. Stay on this page until it is done.");
      const ask = () => archive(id, what.ticked().length > 0, stopper.signal);
      const count = await poured(ask, kept, counting(tell));
      tell(`${name} is saved: ${bytes(count)}.`);
      note("Your data is downloaded.");
    } catch (thrown) {
      tell(null);
      if (isAbort(thrown)) return;
      alert.hidden = false;
      write(alert, asProblem(thrown).detail);
    } finally {
      const wasHere = document.activeElement === stop || document.activeElement === document.body;
      running(false);
      if (wasHere) start.focus();
    }
  }

  start.addEventListener("click", () => void download());
  stop.addEventListener("click", () => stopper.abort());
  signal.addEventListener("abort", () => stopper.abort());
  const lead = "A ZIP archive with everything that is kept about you: your profile, preferences, sessions, keys without their secrets, linked providers, videos, and everything that you did. Its README.txt says what is what.";
  return [el("p", { class: "lead" }, lead), what.element, el("div", { class: "actions" }, start, stop), state, alert];
}

/** Nobody knows how much there will be, so only what has come is told. */
function counting(tell: (text: string) => void): (count: number) => void {
  let saidAt = Date.now();
  return (count) => {
    const text = `${bytes(count)} so far. Stay on this page until it is done.`;
    tell(text);
    if (Date.now() - saidAt < SAY_MS) return;
    saidAt = Date.now();
    say(text);
  };
}

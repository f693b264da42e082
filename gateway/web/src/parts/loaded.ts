// Something of a page that has to be asked for first: says so, and offers another try when that fails.
import { asProblem, isAbort } from "../api/problem.ts";
import { el, fill, type Child } from "../dom.ts";
import { errorState } from "./states.ts";

export function loaded<T>(ask: () => Promise<T>, show: (answer: T) => Child[]): HTMLElement {
  const place = el("div", { class: "settings-body", "aria-busy": "true" }, el("p", { class: "lead", role: "status" }, "Loading…"));
  const read = async () => {
    try {
      fill(place, ...show(await ask()));
    } catch (thrown) {
      if (!isAbort(thrown)) fill(place, errorState(asProblem(thrown), () => void read()));
    } finally {
      place.removeAttribute("aria-busy");
    }
  };
  void read();
  return place;
}

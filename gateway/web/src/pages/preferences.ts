// How one likes it: theme, language, time zone, how films begin, and whether mail is welcome.
import { changePreferences, preferences as read } from "../api/account.ts";
import type { Preferences } from "../api/types.ts";
import { note } from "../announce.ts";
import { checks } from "../parts/checks.ts";
import { choice, form } from "../parts/form.ts";
import { loaded } from "../parts/loaded.ts";
import { part, settings } from "../parts/settings.ts";
import type { View, Visit } from "../router.ts";
import { useTheme } from "../theme.ts";

const THEMES = [
  ["system", "As the system"],
  ["light", "Light"],
  ["dark", "Dark"],
] as const satisfies readonly (readonly [NonNullable<Preferences["theme"]>, string])[];

/** Tags of languages that people are asked in elsewhere; the pages themselves are in English. */
const LANGUAGES = ["ar", "de", "en", "es", "fr", "hi", "it", "ja", "ko", "nl", "pl", "pt", "ru", "tr", "uk", "zh"];

export function preferences({ signal }: Visit): View {
  const body = loaded(
    () => read(signal),
    (found) => [part("How you like it", preferencesForm(found))],
  );
  return { title: "Preferences", element: settings("Preferences", body) };
}

function preferencesForm(found: Preferences): HTMLElement {
  const theme = choice({ name: "theme", label: "Theme", choices: THEMES, value: found.theme ?? "system", required: true });
  const language = choice({ name: "language", label: "Language", choices: languages(found.language), value: found.language ?? "", hint: "For mail. These pages are in English." });
  const zone = choice({ name: "time_zone", label: "Time zone", choices: zones(found.time_zone), value: found.time_zone ?? "" });
  const playing = checks("playing", "Playing", [{ value: "autoplay", title: "Films begin by themselves", ticked: found.autoplay ?? false }]);
  const mail = checks("mail", "Mail", [
    { value: "films", title: "Write to me about what happens to my films", text: "Mail about the account itself is always sent.", ticked: found.email_notifications ?? false },
  ]);
  return form({
    testid: "preferences-form",
    fields: [theme, language, zone],
    extra: [playing.element, mail.element],
    submit: "Save",
    busy: "Saving…",
    send: async () => {
      const chosen = theme.input.value as (typeof THEMES)[number][0];
      await changePreferences({
        theme: chosen,
        language: language.input.value || null,
        time_zone: zone.input.value || null,
        autoplay: playing.ticked().length > 0,
        email_notifications: mail.ticked().length > 0,
      });
      useTheme(chosen);
      note("Your preferences are saved.");
    },
  });
}

/** In their own words, and the one that is set even if it is another. */
function languages(set: string | null | undefined): [string, string][] {
  const tags = set && !LANGUAGES.includes(set) ? [set, ...LANGUAGES] : LANGUAGES;
  return [["", "As the browser's"], ...tags.map((tag): [string, string] => [tag, nameOf(tag)])];
}

function zones(set: string | null | undefined): [string, string][] {
  const all = new Set(["UTC", ...Intl.supportedValuesOf("timeZone"), ...(set ? [set] : [])]);
  return [["", "As the browser's"], ...[...all].map((zone): [string, string] => [zone, zone.replaceAll("_", " ")])];
}

function nameOf(tag: string): string {
  try {
    return new Intl.DisplayNames([tag], { type: "language" }).of(tag) ?? tag;
  } catch {
    // Not a tag that this browser knows how to read.
    return tag;
  }
}

// Where a story is told: a Chromium with a profile of its own, looked after and closed whatever happens.
//
// SPOOL_URL, CHROMIUM, SHOTS (a folder for pictures) and STORY_SECONDS (300) come from the environment. Every wait is for a
// condition and bounded; the whole story gives up after STORY_SECONDS. Exit code 1 when anything failed.
import { mkdir, mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { chromium } from "playwright-core";
import { accessibility } from "./accessibility.mjs";
import { checks } from "./checks.mjs";
import { listenForTrouble } from "./trouble.mjs";

const BASE = (process.env.SPOOL_URL ?? "http://127.0.0.1:8080").replace(/\/$/, "");
const SHOTS = process.env.SHOTS ?? process.argv[2] ?? "";
const CHROMIUM = process.env.CHROMIUM ?? "/usr/bin/chromium";
const STORY_MS = Number(process.env.STORY_SECONDS ?? 300) * 1000;
const STEP_MS = 30_000;
const ARGUMENTS = ["--headless", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-background-networking", "--disable-component-update", "--disable-sync"];

export async function stage() {
  const deadline = Date.now() + STORY_MS;
  const { check, summary } = checks();
  if (SHOTS) await mkdir(SHOTS, { recursive: true });
  const profile = await mkdtemp(join(tmpdir(), "spool-story-"));
  const context = await chromium.launchPersistentContext(profile, {
    executablePath: CHROMIUM,
    args: ARGUMENTS,
    viewport: { width: 1280, height: 860 },
    colorScheme: "dark",
  });
  const page = context.pages()[0] ?? (await context.newPage());
  page.setDefaultTimeout(STEP_MS);
  const trouble = listenForTrouble(page);
  const at = (name) => `[data-testid="${name}"]`;

  /** Asks the server as the person who is signed in. */
  function api(path) {
    return page.evaluate(async (address) => {
      const { access_token: token } = JSON.parse(localStorage.getItem("spool.session"));
      const answer = await fetch(address, { headers: { authorization: `Bearer ${token}` } });
      if (!answer.ok) throw new Error(`${address} answered ${answer.status}`);
      return answer.json();
    }, path);
  }

  /** Writes into fields by their names; of several forms, the one that is named. */
  async function fill(values, form) {
    const place = form ? page.locator(at(form)) : page;
    for (const [name, value] of Object.entries(values)) await place.locator(at(`field-${name}`)).fill(value);
  }

  async function shot(name) {
    if (SHOTS) await page.screenshot({ path: join(SHOTS, `${name}.png`) }).catch(() => null);
  }

  async function tell(story) {
    try {
      await story();
      check("the console shows no errors and no policy violations", trouble.length === 0, trouble.join("\n"));
    } catch (thrown) {
      check("the story reaches its end", false, thrown?.stack ?? String(thrown));
      await shot("failure");
    } finally {
      await context.close();
      await rm(profile, { recursive: true, force: true });
    }
    process.exitCode = summary() ? 0 : 1;
  }

  const remaining = () => Math.max(1, deadline - Date.now());
  return { BASE, accessible: accessibility(page, check), api, at, check, context, fill, page, remaining, shot, tell, trouble };
}

// The story of a person at the pages of a running server: registers, uploads a film, watches it while it is being made.
//
//   SPOOL_URL=http://127.0.0.1:8080 FILM=film.mp4 [CHROMIUM=/usr/bin/chromium] [SHOTS=dir] [KEEP=1] node e2e/story.mjs
//
// FILM has to be long enough to be still in work when it is watched (three minutes are plenty). Every wait is for a condition
// and bounded; the whole story gives up after STORY_SECONDS (300). Exit code 1 when anything failed.
import { stat } from "node:fs/promises";
import { stage } from "./stage.mjs";

const FILM = process.env.FILM ?? "";
const filmBytes = FILM ? (await stat(FILM).catch(() => null))?.size : null;
if (!filmBytes) {
  console.error("FILM must name a film to upload");
  process.exit(1);
}

const { BASE, accessible, api, at, check, context, fill, page, remaining, shot, tell, trouble } = await stage();
const person = { name: `story${Date.now().toString(36)}`, password: "a long walk by the sea" };

await tell(async () => {
  await register();
  await signOutAndIn();
  await upload();
  const video = await watchWhileProcessing();
  await useTheKeys();
  await watchUntilComplete(video);
  await editVideo(video);
  await lookOnAPhone(video);
  await tryTheApi();
  if (!process.env.KEEP) await deleteVideo(video);
});

async function register() {
  await page.goto(`${BASE}/`);
  await page.locator(`${at("video-card")}, ${at("empty-state")}`).first().waitFor();
  await accessible("catalogue");
  await shot("01-catalogue");
  await page.goto(`${BASE}/register`);
  await page.locator(at("register-form")).waitFor();
  await accessible("register");
  await fill({ first_name: "Story", last_name: "Teller", username: person.name, email: `${person.name}@example.org`, password: "x" });
  trouble.expect("/api/auth/register");
  await page.click(at("register-submit"));
  await page.locator(`${at("error-password")}:not([hidden])`).waitFor();
  check("a password that is too short is refused at its field", (await page.locator(at("error-password")).innerText()) !== "");
  await shot("02-register");
  await page.fill(at("field-password"), person.password);
  await page.click(at("register-submit"));
  await page.locator(at("sign-out")).waitFor();
  check("registering signs in", true);
}

async function signOutAndIn() {
  await page.click(at("sign-out"));
  await page.locator(at("nav-login")).first().click();
  await page.locator(at("login-form")).waitFor();
  await accessible("login");
  await fill({ email: `${person.name}@example.org`, password: person.password });
  await page.click(at("login-submit"));
  await page.locator(at("sign-out")).waitFor();
  check("signing out and in again works", true);
}

async function upload() {
  await page.locator(at("nav-upload")).first().click();
  await page.locator(at("upload-form")).waitFor();
  await accessible("upload");
  await page.setInputFiles(at("upload-file"), FILM);
  check("the title is filled in from the file's name", (await page.inputValue(at("field-title"))) !== "");
  await page.fill(at("field-title"), "The story's film");
  await page.fill(at("field-description"), "<b>Text</b> stays text.");
  await shot("03-upload");
  // The machine is its own server, so without a brake the bar would be full at once.
  const network = await context.newCDPSession(page);
  await network.send("Network.enable");
  const brake = (uploadThroughput) => network.send("Network.emulateNetworkConditions", { offline: false, latency: 0, downloadThroughput: -1, uploadThroughput });
  await brake(Math.max(50_000, filmBytes / 4));
  await page.click(at("upload-submit"));
  await page.waitForFunction((bar) => Number(document.querySelector(bar)?.getAttribute("aria-valuenow")) >= 5, at("upload-progress"), { polling: 50 }).catch(() => null);
  const percent = await page.locator(at("upload-progress")).getAttribute("aria-valuenow").catch(() => null);
  check("the upload's progress is seen on its way", percent !== null && Number(percent) > 0 && Number(percent) < 100, `it was ${percent}`);
  await shot("04-uploading");
  await brake(-1);
  await page.locator(at("processing-progress")).waitFor();
  await accessible("processing");
}

async function watchWhileProcessing() {
  await page.locator(at("watch-now")).waitFor();
  const id = new URL(page.url()).searchParams.get("video");
  const { job_id: jobId } = await api(`/api/videos/${id}`);
  await page.waitForFunction((bar) => Number(document.querySelector(bar)?.getAttribute("aria-valuenow")) > 0, at("processing-progress")).catch(() => null);
  const percent = Number(await page.locator(at("processing-progress")).getAttribute("aria-valuenow"));
  check("the processing's progress is seen on its way", percent > 0 && percent < 100, `it was ${percent}`);
  await shot("05-processing");
  await page.click(at("watch-now"));
  await page.locator(at("player")).waitFor();
  await page.evaluate(countReloads, at("player"));
  await playing(0.5);
  const before = await sample();
  await playing(before.time + 2);
  const after = await sample();
  const { state } = await api(`/api/jobs/${jobId}`);
  check("the film plays", after.time > before.time, `${before.time} to ${after.time} s`);
  check("frames are decoded", after.frames > before.frames, `${before.frames} to ${after.frames}`);
  check("the job is still running meanwhile", state === "PROCESSING", `it was ${state}`);
  check("what was typed is shown as text", (await page.locator(".watch-description").innerText()) === "<b>Text</b> stays text.");
  await accessible("watch");
  // The controls come when the pointer moves.
  await page.hover(at("player"));
  await page.waitForFunction(() => getComputedStyle(document.querySelector(".player-bar")).opacity === "1");
  await shot("06-watching");
  return { id, jobId };
}

async function useTheKeys() {
  const paused = () => page.locator(at("player")).evaluate((media) => media.paused);
  await page.locator("h1").focus();
  await page.keyboard.press("k");
  check("k pauses", await paused());
  await page.keyboard.press("k");
  await page.keyboard.press("m");
  check("m mutes", await page.locator(at("player")).evaluate((media) => media.muted));
  await page.keyboard.press("m");
  await page.locator(at("quality-button")).focus();
  await page.keyboard.press("Enter");
  check("the quality menu takes the focus", await page.evaluate((option) => document.activeElement?.matches(option), at("quality-option")));
  await page.keyboard.press("Escape");
  check("Escape closes it and gives the focus back", await page.evaluate((button) => document.activeElement?.matches(button), at("quality-button")));
}

async function watchUntilComplete({ id, jobId }) {
  const job = await until(() => api(`/api/jobs/${jobId}`), ({ state }) => ["COMPLETED", "FAILED", "CANCELLED"].includes(state));
  check("the job is completed", job?.state === "COMPLETED", `it was ${job?.state}`);
  const { renditions } = await api(`/api/videos/${id}`);
  const enabled = `${at("quality-option")}:not([aria-disabled="true"])`;
  // The page hears of the last rung by itself; "Auto" is one more entry.
  await page.waitForFunction(([options, count]) => document.querySelectorAll(options).length > count, [enabled, renditions.length]).catch(() => null);
  await page.click(at("quality-button"));
  const labels = await page.locator(enabled).allInnerTexts();
  check("the quality menu lists more than one level", labels.length > 2, labels.join(" | "));
  await shot("07-qualities");
  const reloads = await page.locator(at("player")).evaluate((media) => media.dataset.reloads ?? "0");
  check("new levels came without loading the film anew", reloads === "0", `${reloads} reloads`);
  await page.locator(enabled).last().click();
  await page.waitForFunction((player) => document.querySelector(player).readyState >= 3, at("player"));
  check("a level can be chosen", (await page.locator(at("quality-button")).innerText()).includes("p"));
}

async function editVideo({ id }) {
  await page.click(at("edit-video"));
  await page.locator(at("edit-form")).waitFor();
  await accessible("edit dialog");
  await page.fill(`dialog ${at("field-title")}`, "The story's film, retold");
  await page.click(at("edit-submit"));
  await page.waitForFunction((title) => document.querySelector(title)?.textContent === "The story's film, retold", at("watch-title"));
  const { title } = await api(`/api/videos/${id}`);
  check("an edit is kept", title === "The story's film, retold", title);
}

async function lookOnAPhone({ id }) {
  await page.setViewportSize({ width: 360, height: 740 });
  for (const [name, path, sign] of [["catalogue", "/", "video-card"], ["my", "/my", "video-card"], ["upload", "/upload", "upload-form"], ["watch", `/watch/${id}`, "player"]]) {
    await page.goto(BASE + path);
    await page.locator(at(sign)).first().waitFor();
    const excess = await page.evaluate(() => document.documentElement.scrollWidth - window.innerWidth);
    check(`the ${name} page fits a phone`, excess <= 0, `${excess} px too wide`);
    await accessible(`${name} on a phone`);
    await shot(`08-phone-${name}`);
  }
  await page.setViewportSize({ width: 1280, height: 860 });
}

async function tryTheApi() {
  await page.goto(`${BASE}/api/docs`);
  const card = page.locator('[id="get/api/auth/profile"]');
  await card.locator("summary").click();
  await card.locator("form button").click();
  const status = card.locator(".answer .status");
  await status.waitFor();
  check("the page of the API lets one try it as who is signed in", (await status.innerText()).startsWith("200") && (await card.innerText()).includes(person.name), await card.innerText());
  await accessible("page of the API");
}

async function deleteVideo({ id }) {
  await page.goto(`${BASE}/my`);
  const card = page.locator(`${at("video-card")}[data-video-id="${id}"]`);
  await card.locator(at("delete-video")).click();
  await page.click(at("confirm-delete"));
  await card.waitFor({ state: "detached" });
  check("a deleted video leaves the list", true);
}

/** Waits until the film has got past `seconds`; presses play once if the browser wants that. */
async function playing(seconds) {
  const started = await page.waitForFunction((player) => !document.querySelector(player).paused, at("player"), { timeout: 5000 }).catch(() => null);
  if (!started) await page.click(at("player-play"));
  await page.waitForFunction(([player, least]) => document.querySelector(player).currentTime > least, [at("player"), seconds]);
}

function sample() {
  return page.locator(at("player")).evaluate((media) => ({ time: media.currentTime, frames: media.getVideoPlaybackQuality().totalVideoFrames }));
}

function countReloads(player) {
  const media = document.querySelector(player);
  const count = () => (media.dataset.reloads = String(Number(media.dataset.reloads ?? 0) + 1));
  media.addEventListener("playing", () => media.addEventListener("emptied", count), { once: true });
}

/** Asks every half second until the answer satisfies or the story's time is up; answers with the last answer. */
async function until(ask, satisfied) {
  for (;;) {
    const answer = await ask();
    if (satisfied(answer) || remaining() <= 1) return answer;
    await new Promise((resolve) => setTimeout(resolve, 500));
  }
}

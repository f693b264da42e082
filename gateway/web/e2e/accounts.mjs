// The story of an account at the pages of a running server: its owner looks after it, forgets the password, an administrator
// finds, locks, deletes and restores it, and its owner takes everything along and deletes it for good.
//
//   SPOOL_URL=http://127.0.0.1:8080 ADMIN_EMAIL=… ADMIN_PASSWORD=… MAIL_FILE=… node e2e/accounts.mjs   (see stage.mjs for the rest)
//
// MAIL_FILE is where the server writes its mails (`spool serve --mail-file`).
import { readFile } from "node:fs/promises";
import { stage } from "./stage.mjs";

const { ADMIN_EMAIL, ADMIN_PASSWORD, MAIL_FILE } = process.env;
if (!ADMIN_EMAIL || !ADMIN_PASSWORD || !MAIL_FILE) {
  console.error("ADMIN_EMAIL, ADMIN_PASSWORD and MAIL_FILE must be set");
  process.exit(1);
}

const { BASE, accessible, api, at, check, fill, page, remaining, shot, tell, trouble } = await stage();
const name = `owner${Date.now().toString(36)}`;
const email = `${name}@example.org`;
const ZIP_BEGINS = Buffer.from("PK\x03\x04", "latin1");
const ZIP_ENDS = Buffer.from("PK\x05\x06", "latin1");
const passwords = { first: "a long walk by the sea", second: "a longer walk by the sea", third: "no walk at all today" };

await tell(async () => {
  await register();
  await changeTheProfile();
  await setAndRemoveAPicture();
  await confirmTheAddress();
  await changeThePassword();
  await endASession();
  await makeAndRevokeAKey();
  await lookForProviders();
  await choosePreferences();
  await forgetThePassword();
  await administrate();
  await lookOnAPhone();
  await takeEverythingAlong();
  await leaveForGood();
});

async function register() {
  await page.goto(`${BASE}/register`);
  await fill({ first_name: "Olive", last_name: "Owner", username: name, email, password: passwords.first });
  await page.click(at("register-submit"));
  await page.locator(at("signed-in-as")).waitFor();
}

async function changeTheProfile() {
  await page.click(at("signed-in-as"));
  await page.locator(at("profile-form")).waitFor();
  await accessible("profile");
  check("the profile says that the e-mail address is not confirmed", (await page.locator(at("email-state")).innerText()).includes("Not confirmed"));
  await fill({ first_name: "Olivia" });
  await page.click(at("profile-submit"));
  await noted("saved");
  check("a changed profile is kept", (await api("/api/auth/profile")).first_name === "Olivia");
  await shot("accounts-01-profile");
}

async function setAndRemoveAPicture() {
  const shown = page.locator(`${at("picture")} img`);
  const choose = (file) => page.setInputFiles(at("picture-file"), file);
  await choose({ name: "letter.txt", mimeType: "text/plain", buffer: Buffer.from("Dear Spool") });
  await page.locator(`${at("error-picture")}:not([hidden])`).waitFor();
  check("a file that is no picture is refused", (await shown.count()) === 0);
  await accessible("a refused picture");
  trouble.expect("/avatar");
  const refusal = page.waitForResponse((answer) => answer.url().endsWith("/avatar"));
  await choose({ name: "torn.png", mimeType: "image/png", buffer: Buffer.from("torn") });
  check("a broken picture is refused by the server", [415, 422].includes((await refusal).status()));
  // What was complained of before went when this one was sent.
  await page.locator(`${at("error-picture")}:not([hidden])`).waitFor();
  await choose({ name: "me.png", mimeType: "image/png", buffer: await page.screenshot({ clip: { x: 0, y: 0, width: 200, height: 160 } }) });
  await noted("picture is set");
  check("a picture is shown when it is set", await isSeen(shown));
  check("and in the head of the page", await isSeen(page.locator(`${at("signed-in-as")} img`)));
  check("the button to choose one keeps the focus", await page.evaluate((input) => document.activeElement?.matches(input), at("picture-file")));
  await accessible("a picture");
  await fill({ last_name: "Owner" });
  const saving = page.waitForResponse((answer) => answer.url().endsWith("/api/auth/profile") && answer.request().method() === "PUT");
  await page.click(at("profile-submit"));
  check("a new picture does not stand in the way of saving the profile", (await saving).status() === 200);
  await page.reload();
  await shown.waitFor();
  check("a picture is kept", await isSeen(shown));
  await shot("accounts-06-picture");
  await page.click(at("remove-picture"));
  await noted("picture is removed");
  check("initials stand in for a picture that was removed", (await shown.count()) === 0 && (await page.locator(at("picture")).innerText()) === "OO");
  check("the profile does not tell of it any more", !(await api("/api/auth/profile")).avatar_url);
}

/** Whether there is one such picture, and it has come. */
async function isSeen(picture) {
  await picture.waitFor();
  return picture.evaluate(async (image) => {
    await image.decode();
    return image.naturalWidth > 0;
  });
}

async function confirmTheAddress() {
  const link = await mailed(/\S*\/confirm-email#token=[\w.-]+/);
  await page.goto(BASE + link.slice(link.indexOf("/confirm-email")));
  await page.locator(at("email-confirmed")).waitFor();
  await accessible("confirmed e-mail address");
  await page.click(at("signed-in-as"));
  await page.locator(at("profile-form")).waitFor();
  check("a confirmed e-mail address is called so", (await page.locator(at("email-state")).innerText()) === "Confirmed");
}

async function changeThePassword() {
  const current = `${at("password-form")} ${at("field-current_password")}`;
  await fill({ current_password: "not the password", new_password: passwords.second }, "password-form");
  trouble.expect("/api/auth/change-password");
  await page.click(at("password-submit"));
  await page.locator(`${at("password-form")} ${at("error-current_password")}:not([hidden])`).waitFor();
  check("a wrong password is told at its field", (await page.inputValue(current)) === "not the password");
  await page.fill(current, passwords.first);
  await page.click(at("password-submit"));
  await noted("password is changed");
  check("the new password counts, and the old one does not", (await login(passwords.second)) === 200 && (await login(passwords.first)) === 401);
}

async function endASession() {
  await page.goto(`${BASE}/account/sessions`);
  await page.locator(at("end-session")).first().waitFor();
  await accessible("sessions");
  const rows = page.locator(`${at("sessions")} > li`);
  const before = await rows.count();
  check("this session is marked, and is the only one", (await page.getByText("This one", { exact: true }).count()) === 1);
  await shot("accounts-02-sessions");
  await page.locator(at("end-session")).first().click();
  await page.click(at("confirm-end-session"));
  await noted("ended");
  check("an ended session leaves the list", (await rows.count()) === before - 1, `${await rows.count()} of ${before}`);
  await page.reload();
  await rows.first().waitFor();
  check("and does not come back", (await rows.count()) === before - 1);
}

async function makeAndRevokeAKey() {
  await page.goto(`${BASE}/account/keys`);
  await page.locator(at("no-keys")).waitFor();
  await accessible("no keys");
  await fill({ name: "A script" });
  await page.click(at("key-submit"));
  await page.locator(`${at("error-scope")}:not([hidden])`).waitFor();
  check("a key without a scope is not made", (await page.locator(at("secret")).count()) === 0);
  await page.check(at("scope-account:read"));
  await page.click(at("key-submit"));
  const secret = await page.locator(at("secret")).innerText();
  await accessible("a new key");
  await shot("accounts-03-key");
  check("the button to copy it has the focus", await page.evaluate((button) => document.activeElement?.matches(button), at("copy-secret")));
  check("the key works", (await withKey(secret)) === 200);
  await page.reload();
  await page.locator(at("revoke-key")).waitFor();
  check("the secret is not shown again", !(await page.content()).includes(secret));
  await page.click(at("revoke-key"));
  await page.click(at("confirm-revoke"));
  await page.locator(at("no-keys")).waitFor();
  check("a revoked key does not work", (await withKey(secret)) === 401);
}

/** The server of this story has none. */
async function lookForProviders() {
  await page.goto(`${BASE}/account/identities`);
  await page.locator(at("no-identities")).waitFor();
  await page.locator(at("no-providers")).waitFor();
  await accessible("no providers");
  check("nothing is offered where there are no providers", (await page.locator('[data-testid^="link-"]').count()) === 0);
  await page.goto(`${BASE}/login?problem=identity-taken&provider=example`);
  await page.locator(at("provider-problem")).waitFor();
  check("who could not link a provider is still signed in, and is told so", (await page.locator(at("still-signed-in")).innerText()).includes(name));
  await accessible("a provider that was not linked");
}

async function choosePreferences() {
  await page.goto(`${BASE}/account/preferences`);
  await page.locator(at("preferences-form")).waitFor();
  await accessible("preferences");
  await page.selectOption(at("field-theme"), "light");
  await page.click(at("preferences-submit"));
  await noted("saved");
  check("the theme is used at once", (await page.evaluate(() => document.documentElement.dataset.theme)) === "light");
  await page.reload();
  await page.locator(at("preferences-form")).waitFor();
  check("preferences are kept", (await page.inputValue(at("field-theme"))) === "light");
  await page.selectOption(at("field-theme"), "system");
  await page.click(at("preferences-submit"));
  await noted("saved");
}

async function forgetThePassword() {
  await page.click(at("sign-out"));
  await page.goto(`${BASE}/login`);
  await page.click(at("forgot-link"));
  await page.locator(at("forgot-form")).waitFor();
  await accessible("forgotten password");
  await fill({ email });
  await page.click(at("forgot-submit"));
  await page.locator(at("forgot-sent")).waitFor();
  await accessible("look into your mail");
  const link = await mailed(/\S*\/reset-password#token=[\w.-]+/);
  await page.goto(BASE + link.slice(link.indexOf("/reset-password")));
  await page.locator(at("reset-form")).waitFor();
  await accessible("new password");
  check("the link's secret does not stay in the address", !page.url().includes("token"));
  await fill({ password: passwords.third });
  await page.click(at("reset-submit"));
  await page.locator(at("login-form")).waitFor();
  await fill({ email, password: passwords.third });
  await page.click(at("login-submit"));
  await page.locator(at("signed-in-as")).waitFor();
  check("one signs in with the password that was set by mail", true);
  await page.click(at("sign-out"));
}

async function administrate() {
  await page.goto(`${BASE}/login`);
  await fill({ email: ADMIN_EMAIL, password: ADMIN_PASSWORD });
  await page.click(at("login-submit"));
  await page.locator(at("nav-admin/users")).first().click();
  await page.locator(at("person-link")).first().waitFor();
  await accessible("users");
  await fill({ search: name });
  const found = page.locator(at("person-link"), { hasText: "Olivia Owner" });
  await page.waitForFunction((link) => document.querySelectorAll(link).length === 1, at("person-link"));
  check("people are found by a part of a name", (await found.count()) === 1);
  await shot("accounts-04-users");
  await page.selectOption(at("field-role"), "admin");
  await page.locator(at("nobody")).waitFor();
  check("and by their role", (await found.count()) === 0);
  await page.selectOption(at("field-role"), "");
  await found.click();
  await page.locator(at("role-form")).waitFor();
  await page.locator(`${at("trail")} > li`).first().waitFor();
  await accessible("a user");
  await shot("accounts-05-user");
  await page.selectOption(`${at("role-form")} ${at("field-role")}`, "viewer");
  await page.click(at("role-submit"));
  await standsAs("Viewer");
  await decide("lock", "Locked");
  check("who is locked out cannot sign in", [401, 403].includes(await login(passwords.third)));
  await decide("unlock", "Viewer");
  check("who is let in again can", (await login(passwords.third)) === 200);
  await decide("delete", "Deleted");
  await accessible("a deleted user");
  check("who is deleted cannot sign in", [401, 403].includes(await login(passwords.third)));
  await decide("restore", "Viewer");
  check("who is restored can", (await login(passwords.third)) === 200);
  // The trail is read anew behind what is shown of the person.
  await page.locator(at("trail"), { hasText: "restored" }).waitFor();
  const told = await page.locator(at("trail")).innerText();
  check("the trail tells what happened", ["locked", "deleted", "restored"].every((word) => told.toLowerCase().includes(word)), told);
}

async function lookOnAPhone() {
  await page.setViewportSize({ width: 360, height: 740 });
  for (const [path, sign] of [["/account", "profile-form"], ["/account/sessions", "sessions"], ["/account/keys", "key-form"], ["/account/identities", "no-providers"], ["/account/data", "cannot-leave"], ["/admin/users", "person-link"]]) {
    await page.goto(BASE + path);
    await page.locator(at(sign)).first().waitFor();
    const excess = await page.evaluate(() => document.documentElement.scrollWidth - window.innerWidth);
    check(`${path} fits a phone`, excess <= 0, `${excess} px too wide`);
    await accessible(`${path} on a phone`);
  }
}

async function takeEverythingAlong() {
  await page.setViewportSize({ width: 1280, height: 860 });
  await page.goto(`${BASE}/account/data`);
  await page.locator(at("cannot-leave")).waitFor();
  check("administrators are not offered to delete themselves", (await page.locator(at("leaving-form")).count()) === 0);
  await page.click(at("sign-out"));
  await page.goto(`${BASE}/login`);
  await fill({ email, password: passwords.third });
  await page.click(at("login-submit"));
  await page.click(at("signed-in-as"));
  await page.getByRole("link", { name: "Your data" }).click();
  await page.locator(at("leaving-form")).waitFor();
  await accessible("one's data");
  await shot("accounts-07-data");
  // Where the system asks for a place to save at, a story cannot answer.
  await page.evaluate(() => delete window.showSaveFilePicker);
  await page.check(at("archive-films"));
  const downloading = page.waitForEvent("download");
  await page.click(at("archive-start"));
  const download = await downloading;
  const archive = await readFile(await download.path());
  check("the archive is called what it is", /^spool-export-[\d-]+\.zip$/.test(download.suggestedFilename()), download.suggestedFilename());
  check("everything is downloaded as a whole ZIP archive", archive.subarray(0, 4).equals(ZIP_BEGINS) && archive.subarray(-22, -18).equals(ZIP_ENDS), `${archive.length} bytes`);
  check("it has the profile", archive.includes("profile.json"));
  await noted("downloaded");
  await accessible("downloaded data");
}

async function leaveForGood() {
  const token = await page.evaluate(() => JSON.parse(localStorage.getItem("spool.session")).access_token);
  const status = async () => (await fetch(`${BASE}/api/auth/profile`, { headers: { authorization: `Bearer ${token}` } })).status;
  await fill({ confirmation: "somebody" });
  await page.click(at("leaving-submit"));
  await page.locator(`${at("error-confirmation")}:not([hidden])`).waitFor();
  await accessible("a wrong user name");
  check("nothing is deleted by another user name", (await status()) === 200);
  await fill({ confirmation: name });
  await page.click(at("leaving-submit"));
  await page.locator(at("goodbye")).waitFor();
  await accessible("goodbye");
  await shot("accounts-08-goodbye");
  check("who has left is signed out", (await page.locator(at("signed-in-as")).count()) === 0 && (await status()) === 401);
  check("and cannot sign in any more", (await login(passwords.third)) === 401);
  await page.goto(`${BASE}/account/data`);
  await page.locator(at("login-form")).waitFor();
  check("the account's pages lead to signing in", true);
}

/** Presses a button, says yes, and waits for what it leads to. */
async function decide(word, standing) {
  await page.click(at(`${word}-person`));
  await page.click(at(`confirm-${word}`));
  await standsAs(standing);
}

async function standsAs(word) {
  await page.locator(at("standing"), { hasText: word }).waitFor();
}

async function noted(text) {
  await page.locator(at("note"), { hasText: text }).first().waitFor();
}

/** The status that signing in with this password is answered with. */
async function login(password) {
  const answer = await fetch(`${BASE}/api/auth/login`, { method: "POST", headers: { "content-type": "application/json" }, body: JSON.stringify({ email, password }) });
  return answer.status;
}

async function withKey(secret) {
  return (await fetch(`${BASE}/api/auth/profile`, { headers: { "x-api-key": secret } })).status;
}

/** What a mail to this person has that fits; mails are written a moment after they were asked for. */
async function mailed(pattern) {
  for (;;) {
    const text = (await readFile(MAIL_FILE, "utf8").catch(() => "")).replaceAll("=\n", "").replaceAll("=\r\n", "").replaceAll("=3D", "=");
    const found = text.includes(email) ? text.slice(text.indexOf(email)).match(pattern)?.[0] : undefined;
    if (found) return found;
    if (remaining() <= 1) throw new Error(`no mail like ${pattern} came: ${text}`);
    await new Promise((resolve) => setTimeout(resolve, 100));
  }
}

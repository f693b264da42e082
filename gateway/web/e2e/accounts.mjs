// The story of an account at the pages of a running server: its owner looks after it, forgets the password, and an administrator
// finds, locks, deletes and restores it.
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
const passwords = { first: "a long walk by the sea", second: "a longer walk by the sea", third: "no walk at all today" };

await tell(async () => {
  await register();
  await changeTheProfile();
  await confirmTheAddress();
  await changeThePassword();
  await endASession();
  await makeAndRevokeAKey();
  await choosePreferences();
  await forgetThePassword();
  await administrate();
  await lookOnAPhone();
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
  const told = await page.locator(at("trail")).innerText();
  check("the trail tells what happened", ["locked", "deleted", "restored"].every((word) => told.toLowerCase().includes(word)), told);
}

async function lookOnAPhone() {
  await page.setViewportSize({ width: 360, height: 740 });
  for (const [path, sign] of [["/account", "profile-form"], ["/account/sessions", "sessions"], ["/account/keys", "key-form"], ["/admin/users", "person-link"]]) {
    await page.goto(BASE + path);
    await page.locator(at(sign)).first().waitFor();
    const excess = await page.evaluate(() => document.documentElement.scrollWidth - window.innerWidth);
    check(`${path} fits a phone`, excess <= 0, `${excess} px too wide`);
    await accessible(`${path} on a phone`);
  }
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

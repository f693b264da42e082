// Collects what goes wrong in a page without being seen: console errors, uncaught errors, policy violations.

export function listenForTrouble(page) {
  const trouble = [];
  const expected = [];
  /** A refusal by this address is part of the story; the browser logs it as an error all the same. */
  trouble.expect = (path) => expected.push(path);
  page.on("pageerror", (error) => trouble.push(`uncaught: ${error.message}`));
  page.on("console", (message) => {
    const text = message.text();
    const address = message.location().url;
    const violates = /content security policy/i.test(text);
    const refused = text.startsWith("Failed to load resource") && expected.some((path) => address.endsWith(path));
    if (violates || (message.type() === "error" && !refused)) trouble.push(`${message.type()}: ${text} (${address})`);
  });
  return trouble;
}

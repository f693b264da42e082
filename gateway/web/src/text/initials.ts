// The letters that stand for somebody who has no picture.

export interface Named {
  first_name: string;
  last_name: string;
  username: string;
}

/** One letter of each name there is, or the first one of the user name. */
export function initials({ first_name, last_name, username }: Named): string {
  const names = [first_name, last_name].filter((name) => name.trim() !== "");
  return (names.length > 0 ? names : [username]).map(firstLetter).join("");
}

/** A letter may be two units of UTF-16, and two letters when it is made a capital. */
function firstLetter(name: string): string {
  return Array.from(name.trim()).slice(0, 1).join("").toUpperCase();
}

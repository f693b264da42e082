// Has axe look at a page, in the dark and in the light theme; nothing serious or critical may be found.
import axe from "axe-core";

const GRAVE = new Set(["serious", "critical"]);

/** Answers with a function that checks the page as it is, under a name. */
export function accessibility(page, check) {
  return async (name) => {
    const found = [];
    for (const colorScheme of ["light", "dark"]) {
      await page.emulateMedia({ colorScheme, reducedMotion: "reduce" });
      found.push(...(await graveIn(page)).map((violation) => `${colorScheme}: ${violation}`));
    }
    await page.emulateMedia({ colorScheme: "dark", reducedMotion: null });
    check(`${name} has no serious accessibility violation`, found.length === 0, found.join("; "));
  };
}

async function graveIn(page) {
  await page.evaluate(`window.axe ?? (() => { ${axe.source} })()`);
  const violations = await page.evaluate(async () => {
    const { violations } = await window.axe.run(document, { resultTypes: ["violations"] });
    return violations.map(({ id, impact, nodes }) => ({ id, impact, where: nodes.slice(0, 3).map((node) => `${node.target.join(" ")} ${node.any[0]?.message ?? ""}`) }));
  });
  return violations.filter(({ impact }) => GRAVE.has(impact)).map(({ id, where }) => `${id} at ${where.join(", ")}`);
}

// Counts what held and what did not, and says so as it goes.

export function checks() {
  let [passed, failed] = [0, 0];
  return {
    check(name, held, detail = "") {
      if (held) passed += 1;
      else failed += 1;
      console.log(`${held ? "ok  " : "FAIL"} ${name}${held || !detail ? "" : `: ${detail}`}`);
    },
    /** Prints the counts; true when nothing failed. */
    summary() {
      console.log(`${passed} passed, ${failed} failed`);
      return failed === 0;
    },
  };
}

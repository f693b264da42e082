//! Reads what libtest prints: counts, shows failures whole, and of the successes only what a person must see.

use std::collections::BTreeMap;

#[derive(Default)]
pub struct Transcript {
    passed: u64,
    ignored: u64,
    failures: Vec<String>,
    not_run: BTreeMap<String, String>,
    /// Put before the names of tests, where the same ones are run in another world.
    world: &'static str,
    /// Whether the lines now are the captured output of tests that passed.
    among_successes: bool,
    test: String,
}

impl Transcript {
    /// From here on the tests are run in another world, which is put before their names.
    pub fn enter(&mut self, world: &'static str) {
        self.world = world;
    }

    /// Takes the next line, and gives back what to show of it.
    pub fn read(&mut self, line: &str) -> Option<String> {
        if line == "successes:" || line == "failures:" {
            self.among_successes = line == "successes:";
        }
        if let Some(name) = line
            .strip_prefix("---- ")
            .and_then(|rest| rest.strip_suffix(" stdout ----"))
        {
            self.test = format!("{}{name}", self.world);
        }
        if let Some(result) = line.strip_prefix("test result: ") {
            self.among_successes = false;
            return self.count(result).then(|| line.to_owned());
        }
        if self.among_successes {
            return self.read_success(line);
        }
        if let Some(name) = line
            .strip_prefix("test ")
            .and_then(|rest| rest.strip_suffix(" ... FAILED"))
        {
            self.failures.push(format!("{}{name}", self.world));
        }
        let is_noise = line.is_empty() || line == "running 0 tests";
        (!is_noise).then(|| line.to_owned())
    }

    /// Takes the next line of Node's own test runner, and gives back what to show of it.
    pub fn read_tap(&mut self, line: &str) -> Option<String> {
        let number = |word: &str| {
            line.strip_prefix(word)
                .and_then(|rest| rest.trim().parse::<u64>().ok())
        };
        self.passed += number("# pass ").unwrap_or(0);
        self.ignored += number("# skipped ").unwrap_or(0);
        if let Some(name) = line.strip_prefix("not ok ") {
            self.failures.push(name.to_owned());
        }
        let is_detail = line.starts_with("ok ") || line.starts_with("# Subtest") || line.starts_with("    ");
        (!is_detail && line.starts_with(['#', 'n'])).then(|| line.to_owned())
    }

    /// Takes how cargo ended: a test binary that died has printed no result.
    pub fn end(&mut self, success: bool) {
        if !success && self.failures.is_empty() {
            self.failures
                .push("a test program that ended without a result".to_owned());
        }
    }

    pub fn is_green(&self) -> bool {
        self.failures.is_empty()
    }

    pub fn failures(&self) -> &[String] {
        &self.failures
    }

    /// Tests that found they could not run here, with their reasons.
    pub fn not_run(&self) -> impl Iterator<Item = (&String, &String)> {
        self.not_run.iter()
    }

    pub fn totals(&self) -> String {
        let skipped = self.not_run.len() as u64;
        format!(
            "{} passed, {} failed, {} skipped",
            self.passed.saturating_sub(skipped),
            self.failures.len(),
            self.ignored + skipped
        )
    }

    fn read_success(&mut self, line: &str) -> Option<String> {
        if let Some(reason) = line.strip_prefix("NOT RUN: ") {
            self.not_run.insert(self.test.clone(), reason.to_owned());
            return Some(format!("{}: {line}", self.test));
        }
        line.starts_with("seed ")
            .then(|| format!("{}: {line}", self.test))
    }

    /// Adds up `ok. 3 passed; 0 failed; 1 ignored; …`; says whether there was anything to count.
    fn count(&mut self, result: &str) -> bool {
        let number = |word: &str| -> u64 {
            let before = result.split(word).next().unwrap_or("").trim_end();
            before
                .rsplit([' ', ';'])
                .next()
                .and_then(|number| number.parse().ok())
                .unwrap_or(0)
        };
        self.passed += number("passed");
        self.ignored += number("ignored");
        number("passed") + number("failed") + number("ignored") > 0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const PRINTED: &str = "
running 3 tests
test cuts ... ok
test sums ... ok
test breaks ... FAILED

successes:

---- cuts stdout ----
NOT RUN: loop devices need root

---- sums stdout ----
chatter
seed 42

successes:
    cuts
    sums

failures:

---- breaks stdout ----
left: 1

failures:
    breaks

test result: FAILED. 2 passed; 1 failed; 1 ignored; 0 measured; 0 filtered out; finished in 0.00s
";

    fn read(printed: &str) -> (Transcript, Vec<String>) {
        let mut transcript = Transcript::default();
        let shown = printed.lines().filter_map(|line| transcript.read(line)).collect();
        (transcript, shown)
    }

    #[test]
    fn a_test_that_was_not_run_counts_as_skipped() {
        let (transcript, _) = read(PRINTED);
        assert_eq!(transcript.totals(), "1 passed, 1 failed, 2 skipped");
        assert!(!transcript.is_green());
        assert_eq!(transcript.failures(), ["breaks"]);
    }

    #[test]
    fn failures_are_shown_whole_and_successes_only_with_seed_and_reason() {
        let (_, shown) = read(PRINTED);
        assert!(shown.contains(&"left: 1".to_owned()));
        assert!(shown.contains(&"sums: seed 42".to_owned()));
        assert!(shown.contains(&"cuts: NOT RUN: loop devices need root".to_owned()));
        assert!(!shown.iter().any(|line| line.contains("chatter")));
    }

    #[test]
    fn the_tests_of_the_pages_are_counted_too() {
        let mut transcript = Transcript::default();
        for line in [
            "ok 1 - clock",
            "not ok 2 - player",
            "# pass 7",
            "# fail 1",
            "# skipped 2",
        ] {
            transcript.read_tap(line);
        }
        assert_eq!(transcript.totals(), "7 passed, 1 failed, 2 skipped");
    }

    #[test]
    fn the_same_tests_in_another_world_are_counted_again_and_told_apart() {
        let (mut transcript, _) = read(PRINTED);
        transcript.enter("elsewhere: ");
        let shown: Vec<String> = PRINTED.lines().filter_map(|line| transcript.read(line)).collect();
        assert!(shown.contains(&"elsewhere: sums: seed 42".to_owned()));
        assert_eq!(transcript.totals(), "2 passed, 2 failed, 4 skipped");
        assert_eq!(transcript.failures(), ["breaks", "elsewhere: breaks"]);
    }

    #[test]
    fn a_test_program_that_died_is_a_failure() {
        let (mut transcript, _) = read("running 1 test\n");
        transcript.end(false);
        assert_eq!(transcript.totals(), "0 passed, 1 failed, 0 skipped");
    }
}

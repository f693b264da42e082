//! `cargo xtask check`: what to run before every commit.

use anyhow::Result;

use crate::flags::Flags;
use crate::setup::{self, Purpose};
use crate::{cargo, say, test, tidy, web};

pub const HELP: &str = "
cargo xtask check

Formatting, lints of every target (warnings are errors), the tree's own rules (tidy), and the unit tests.
";

pub fn run(flags: Flags) -> Result<()> {
    flags.finish()?;
    let node = setup::prepare(Purpose::Build)?;
    web::build(&node)?;

    let step = say::step("formatting");
    cargo::run(&["fmt", "--all", "--check"])?;
    step.done();

    tidy::check_tree()?;

    let step = say::step("lints");
    cargo::run(&["clippy", "--workspace", "--all-targets", "--", "-D", "warnings"])?;
    step.done();

    let step = say::step("unit tests");
    cargo::succeed(&mut test::in_test_world(
        &node,
        &["test", "--quiet", "--workspace", "--lib", "--bins"],
    ))?;
    step.done();
    say::line("\nall is well");
    Ok(())
}

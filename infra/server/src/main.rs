//! The binary: opens the world once and runs the roles.
fn main() {}

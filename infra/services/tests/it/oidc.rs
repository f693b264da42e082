//! The OpenID provider and the stand-in beside it come and go together.

use spool_services::Oidc;

use crate::tcp::is_listening;

#[test]
fn both_serve_again_after_a_kill_and_are_gone_after_drop() {
    let mut oidc = Oidc::start().expect("an OpenID provider starts");
    let addresses = [oidc.issuer(), oidc.plain()].map(|url| url.trim_start_matches("http://").to_owned());
    let serve = || addresses.iter().map(|address| is_listening(address));
    assert!(serve().all(|serves| serves));
    oidc.kill().expect("it was running");
    assert!(!serve().any(|serves| serves));
    oidc.restart().expect("it comes back");
    assert!(serve().all(|serves| serves));
    drop(oidc);
    assert!(!serve().any(|serves| serves));
}

//! Who is there, judged by one node and by several in one process.
use super::*;

fn member(node: &str, started_at: u64) -> Member {
    Member {
        started_at,
        ..Member::new(node, format!("http://{node}"), vec!["commands".to_owned()])
    }
}

fn check_present(roster: &Roster, expected: &[(&str, u64)]) {
    let present = roster.present(true);
    let found: Vec<_> = present
        .members
        .iter()
        .map(|seen| (seen.member.node.as_str(), seen.beats))
        .collect();
    assert_eq!(found, expected);
}

#[test]
fn who_lets_four_of_our_beats_pass_is_gone() {
    let mut roster = Roster::new(member("b", 1));
    assert!(roster.hear(member("a", 1)));
    for beats in 1..4 {
        roster.beat();
        check_present(&roster, &[("a", beats), ("b", beats)]);
    }
    assert!(!roster.hear(member("a", 1)), "nothing has changed");
    for _ in 0..3 {
        roster.beat();
    }
    check_present(&roster, &[("a", 6), ("b", 6)]);
    roster.beat();
    check_present(&roster, &[("b", 7)]);
    assert!(roster.hear(member("a", 1)));
    check_present(&roster, &[("a", 0), ("b", 7)]);
}

#[test]
fn while_our_own_beats_do_not_come_back_nobody_is_gone() {
    let mut roster = Roster::new(member("b", 1));
    roster.hear(member("a", 1));
    // No time passes, whatever clocks say.
    check_present(&roster, &[("a", 0), ("b", 0)]);
}

#[test]
fn who_says_goodbye_is_gone_at_once_and_who_starts_again_is_new() {
    let mut roster = Roster::new(member("b", 1));
    roster.hear(member("a", 5));
    roster.beat();
    let goodbye = Member {
        leaving: true,
        ..member("a", 5)
    };
    assert!(roster.hear(goodbye.clone()));
    check_present(&roster, &[("b", 1)]);
    assert!(!roster.hear(goodbye.clone()));
    roster.hear(member("a", 6));
    roster.beat();
    assert!(roster.hear(member("a", 7)));
    check_present(&roster, &[("a", 0), ("b", 2)]);
    // What the process before it said comes late.
    assert!(!roster.hear(goodbye));
    assert!(!roster.hear(member("a", 6)));
    check_present(&roster, &[("a", 0), ("b", 2)]);
}

/// Two nodes, and whom the first one sees, from when it sees both.
async fn both_there() -> (Members, Members, tokio::sync::watch::Receiver<Arc<Present>>) {
    let signals = Signals::new();
    let one = Members::join(signals.clone(), member("one", 1));
    let other = Members::join(signals, member("other", 1));
    let mut present = one.present();
    let both = |present: &Arc<Present>| present.member("other").is_some();
    present.wait_for(both).await.expect("it goes on");
    (one, other, present)
}

#[tokio::test]
async fn nodes_hear_of_each_other_and_of_what_they_release() {
    let (_one, other, mut present) = both_there().await;
    let released = vec![Released {
        partition: 3,
        term: 7,
    }];
    other.release(released.clone());
    let knows = |present: &Arc<Present>| {
        let other = present.member("other");
        other.is_some_and(|other| other.released == released)
    };
    present.wait_for(knows).await.expect("it goes on");

    let before = std::time::Instant::now();
    other.leave().await;
    let alone = |present: &Arc<Present>| present.member("other").is_none();
    present.wait_for(alone).await.expect("it goes on");
    assert!(before.elapsed() < 3 * BEAT, "nobody waited for silence");
}

#[tokio::test]
async fn a_node_that_falls_silent_is_gone_after_a_second() {
    let (_one, other, mut present) = both_there().await;
    drop(other);
    let before = std::time::Instant::now();
    let alone = |present: &Arc<Present>| present.member("other").is_none();
    present.wait_for(alone).await.expect("it goes on");
    // Its last beat was at most one beat old.
    assert!(before.elapsed() > 2 * BEAT);
}

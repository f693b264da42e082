//! The simulator notices a broken protocol: each rule is broken once.

use spool_log::term::Rules;

use crate::world;

/// So many seeds may pass before one of them must fail.
const SEEDS: u64 = 60_000;

macro_rules! caught {
    ($($test:ident: $rule:ident),* $(,)?) => {$(
        #[test]
        fn $test() {
            #[derive(Clone, Copy, Debug, PartialEq, Eq)]
            struct Broken;
            impl Rules for Broken {
                const $rule: bool = true;
            }
            let failed = world::run_all::<Broken>(0..SEEDS);
            let failed = failed.expect_err("a broken rule was not noticed");
            println!("{}: {failed}", stringify!($rule));
        }
    )*};
}

caught! {
    a_claim_of_the_running_term_must_be_void: EQUAL_TERMS_CLAIM,
    commits_of_earlier_terms_must_be_void: STALE_TERMS_COUNT,
    a_commit_after_a_gap_must_be_void: GAPS_COUNT,
    a_term_must_not_go_on_after_a_gap: DEAD_TERMS_COUNT,
    a_repeated_commit_must_count_once: REPEATS_COUNT,
    a_report_alone_must_not_acknowledge: REPORTS_ACKNOWLEDGE,
    a_claim_must_be_read_back: UNREAD_CLAIMS_LEAD,
    an_error_must_not_be_taken_for_a_refusal: ERRORS_REFUSE,
    what_builds_on_a_refused_append_must_be_refused: REFUSED_APPENDS_ARE_BUILT_ON,
    a_barrier_must_prove_leadership: BARRIERS_ARE_FREE,
}

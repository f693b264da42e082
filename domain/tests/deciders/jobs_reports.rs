//! What an attempt may say about its work, and when the work is complete.

use crate::jobs_given::*;
use spool_domain::decider::{Decider, refold, scenario::given};
use spool_domain::jobs::*;
use spool_domain::media::{Film, Rendition};
use spool_domain::time::Millis;

#[test]
fn an_attempt_reports_what_it_finds_and_makes() {
    let picture = Fact::ThumbnailMade { blob: "t.jpg".into() };
    let facts = vec![
        Fact::Probed(film()),
        Fact::RenditionStarted(rendition("360p")),
        publish(0, 2),
        publish(2, 1),
        finish(),
        picture,
    ];
    let news = [
        Event::Probed(Probed {
            attempt: 1,
            film: film(),
        }),
        announced(1),
        published(1, 0, 2),
        published(1, 2, 1),
        finished(1),
        Event::ThumbnailMade(ThumbnailMade {
            attempt: 1,
            blob: "t.jpg".into(),
        }),
    ];
    given::<Job>(&job(&[claimed(1, "a")]))
        .when(report(1, facts), NOW)
        .then(&news);
}

#[test]
fn what_is_known_already_is_not_said_again() {
    let thumbnail = |attempt| {
        Event::ThumbnailMade(ThumbnailMade {
            attempt,
            blob: "t.jpg".into(),
        })
    };
    let probed = Event::Probed(Probed {
        attempt: 1,
        film: film(),
    });
    let past = job(&[claimed(1, "a"), probed, announced(1), finished(1), thumbnail(1)]);
    let facts = vec![
        Fact::Probed(film()),
        Fact::RenditionStarted(rendition("360p")),
        publish(0, 0),
        finish(),
        Fact::ThumbnailMade { blob: "t.jpg".into() },
    ];
    given::<Job>(&past).when(report(1, facts), NOW).then_nothing();
}

#[test]
fn the_next_attempt_says_where_its_own_init_segment_is_and_goes_on() {
    let past = job(&[claimed(1, "a"), announced(1), published(1, 0, 2), claimed(2, "a")]);
    let facts = vec![Fact::RenditionStarted(rendition("360p")), publish(2, 1)];
    given::<Job>(&past)
        .when(report(2, facts), NOW)
        .then(&[announced(2), published(2, 2, 1)]);
}

#[test]
fn segments_come_without_gaps_and_repeats() {
    let past = job(&[claimed(1, "a"), announced(1), published(1, 0, 2)]);
    for from in [0, 1, 3] {
        given::<Job>(&past)
            .when(report(1, vec![publish(from, 1)]), NOW)
            .then_refused(Refusal::Gap {
                rendition: "360p".into(),
                from,
                published: 2,
            });
    }
}

#[test]
fn nothing_is_said_of_a_rendition_before_it_is_announced() {
    let rendition = "360p".to_owned();
    for fact in [publish(0, 1), finish()] {
        given::<Job>(&job(&[claimed(1, "a")]))
            .when(report(1, vec![fact]), NOW)
            .then_refused(Refusal::NotAnnounced {
                rendition: rendition.clone(),
            });
    }
}

#[test]
fn a_finished_rendition_takes_no_more_segments() {
    let past = job(&[claimed(1, "a"), announced(1), published(1, 0, 1), finished(1)]);
    let rendition = "360p".into();
    given::<Job>(&past)
        .when(report(1, vec![publish(1, 1)]), NOW)
        .then_refused(Refusal::RenditionOver { rendition });
}

#[test]
fn a_report_is_taken_whole_or_not_at_all() {
    let facts = vec![Fact::RenditionStarted(rendition("360p")), publish(1, 1)];
    given::<Job>(&job(&[claimed(1, "a")]))
        .when(report(1, facts), NOW)
        .then_refused(Refusal::Gap {
            rendition: "360p".into(),
            from: 1,
            published: 0,
        });
}

#[test]
fn an_attempt_that_lost_the_job_publishes_nothing() {
    for past in [
        job(&[claimed(1, "a"), claimed(2, "a")]),
        job(&[claimed(1, "a"), pause(1, passing(), NOW)]),
        job(&[claimed(1, "a"), failed(1, lasting())]),
        job(&[claimed(1, "a"), completed(1)]),
    ] {
        given::<Job>(&past)
            .when(report(1, vec![Fact::Probed(film())]), NOW)
            .then_refused(Refusal::Fenced);
    }
}

#[test]
fn a_report_renews_a_lease_that_is_half_over() {
    let late = NOW + Millis(15_001);
    let until = late + LEASE;
    given::<Job>(&job(&[claimed(1, "a")]))
        .when(report(1, vec![]), late)
        .then(&[Event::LeaseRenewed(LeaseRenewed { attempt: 1, until })]);
    given::<Job>(&job(&[claimed(1, "a")]))
        .when(report(1, vec![]), NOW + Millis(15_000))
        .then_nothing();
}

#[track_caller]
fn refuses(rendition: Rendition, wrong: &str) {
    let job: Job = refold(&job(&[claimed(1, "a")]));
    let outcome = job.decide(&report(1, vec![Fact::RenditionStarted(rendition)]), NOW);
    assert!(
        matches!(&outcome, Err(Refusal::Invalid { field, .. }) if field == wrong),
        "{outcome:?}"
    );
}

#[test]
fn a_rendition_cannot_leave_its_folder_or_its_line_of_the_playlist() {
    for name in ["", "..", "a/b", "360P", "a\nb", &"x".repeat(33)] {
        refuses(rendition(name), "rendition's name");
    }
    for codecs in ["a\"b", "a\n#EXT-X-ENDLIST", &"x".repeat(101)] {
        let codecs = codecs.into();
        refuses(
            Rendition {
                codecs,
                ..rendition("360p")
            },
            "rendition's codecs",
        );
    }
}

#[test]
fn renditions_are_not_without_number() {
    let many = (0..33).map(|number| Fact::RenditionStarted(rendition(&format!("r{number}"))));
    let job: Job = refold(&job(&[claimed(1, "a")]));
    let outcome = job.decide(&report(1, many.collect()), NOW);
    assert!(matches!(outcome, Err(Refusal::Invalid { .. })), "{outcome:?}");
}

#[test]
fn a_rate_that_is_no_number_is_written_as_unknown() {
    for (measured, written) in [
        (f64::NAN, 0.0),
        (f64::INFINITY, 0.0),
        (-25.0, 0.0),
        (30_000.0 / 1_001.0, 29.97),
    ] {
        let frames_per_second = measured;
        let fact = Fact::Probed(Film {
            frames_per_second,
            ..film()
        });
        let frames_per_second = written;
        let film = Film {
            frames_per_second,
            ..film()
        };
        let past = job(&[claimed(1, "a")]);
        given::<Job>(&past)
            .when(report(1, vec![fact.clone()]), NOW)
            .then(&[Event::Probed(Probed { attempt: 1, film })]);
    }
}

#[test]
fn an_attempt_completes_the_job_once() {
    let done = [claimed(1, "a"), announced(1), published(1, 0, 15), finished(1)];
    given::<Job>(&job(&done))
        .when(complete(1), NOW)
        .then(&[completed(1)]);
    let past = job(&[&done[..], &[completed(1)]].concat());
    given::<Job>(&past).when(complete(1), NOW).then_nothing();
    given::<Job>(&past)
        .when(complete(2), NOW)
        .then_refused(Refusal::Fenced);
}

#[test]
fn a_job_is_not_complete_while_a_rendition_is_half_there() {
    let past = job(&[claimed(1, "a"), announced(1), published(1, 0, 1)]);
    let rendition = "360p".into();
    given::<Job>(&past)
        .when(complete(1), NOW)
        .then_refused(Refusal::Unfinished { rendition });
}

#[test]
fn a_job_is_complete_although_its_provisional_rendition_ends_early() {
    let early = Rendition {
        provisional: true,
        ..rendition("source")
    };
    let past = job(&[
        claimed(1, "a"),
        Event::RenditionStarted(RenditionStarted {
            attempt: 1,
            rendition: early,
        }),
        announced(1),
        published(1, 0, 15),
        finished(1),
    ]);
    given::<Job>(&past).when(complete(1), NOW).then(&[completed(1)]);
}

/// The way out when a copied source turns out not to be cuttable: it is announced again, as provisional.
#[test]
fn a_rendition_that_cannot_be_finished_may_become_provisional() {
    let source = |provisional| Rendition {
        provisional,
        ..rendition("source")
    };
    let begun = |provisional| {
        Event::RenditionStarted(RenditionStarted {
            attempt: 1,
            rendition: source(provisional),
        })
    };
    let mut past = job(&[
        claimed(1, "a"),
        begun(false),
        announced(1),
        published(1, 0, 15),
        finished(1),
    ]);
    let name = "source".into();
    given::<Job>(&past)
        .when(complete(1), NOW)
        .then_refused(Refusal::Unfinished { rendition: name });
    given::<Job>(&past)
        .when(report(1, vec![Fact::RenditionStarted(source(true))]), NOW)
        .then(&[begun(true)]);
    past.push(begun(true));
    given::<Job>(&past).when(complete(1), NOW).then(&[completed(1)]);
}

#[test]
fn a_job_is_not_complete_with_nothing_to_watch() {
    for past in [
        job(&[claimed(1, "a")]),
        job(&[claimed(1, "a"), announced(1), finished(1)]),
    ] {
        given::<Job>(&past)
            .when(complete(1), NOW)
            .then_refused(Refusal::NothingToPlay);
    }
}

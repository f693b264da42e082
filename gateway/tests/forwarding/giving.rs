//! Whoever has a command to give gives it to whoever leads, and the answer is the same as there.

use crate::given::{ask, create, describe, fresh, person, video};
use crate::world::{PATIENCE, Place};
use spool_commands::{AnyRefusal, Ask, CommandError};
use spool_domain::videos::{self, Command, Video};

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn nodes_that_do_not_lead_give_the_same_answers_as_the_one_that_does() {
    let place = Place::new().await;
    let (one, other) = (place.node("one").await, place.node("other").await);
    let visitor = place.visitor(PATIENCE).await;
    one.lead_all().await;
    for number in 0..8 {
        let stream = video(number).stream();
        let created = visitor
            .commands
            .give(stream, create(number), ask(number))
            .await
            .expect("accepted");
        assert!(!created.repeated && !created.events.is_empty() && created.position.is_some());
        for node in [&one, &other, &visitor] {
            let again = node.commands.give(stream, create(number), ask(number)).await;
            let again = again.expect("accepted before");
            assert!(again.repeated);
            assert_eq!(
                (again.version, again.position, &again.events),
                (created.version, created.position, &created.events)
            );
            let quiet = node.commands.give(stream, describe("a film"), fresh()).await;
            let quiet = quiet.expect("there is nothing to say");
            assert_eq!((quiet.position, quiet.version), (None, created.version));
        }
        let here = one.commands.state::<Video>(stream).await.expect("it leads");
        assert_eq!(here.1, created.version);
        for node in [&other, &visitor] {
            assert_eq!(node.commands.state(stream).await, Ok(here.clone()));
            assert_eq!(node.commands.glance(stream).await, Ok(here.clone()));
        }
    }
    for node in [one, other, visitor] {
        node.close().await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn refusals_come_back_in_the_words_of_their_feature() {
    let place = Place::new().await;
    let node = place.node("one").await;
    let visitor = place.visitor(PATIENCE).await;
    node.lead_all().await;
    let stream = video(1).stream();
    let created = visitor
        .commands
        .give(stream, create(1), ask(1))
        .await
        .expect("accepted");
    let refused = async |command: Command, ask: Ask| visitor.commands.give(stream, command, ask).await;
    let by_another = Command::Describe {
        by: person(2),
        description: crate::given::described("mine"),
    };
    assert_eq!(
        refused(by_another, fresh()).await,
        Err(AnyRefusal::Videos(videos::Refusal::NotOwner).into())
    );
    let nameless = refused(describe(""), fresh()).await;
    assert!(
        matches!(
            &nameless,
            Err(CommandError::Refused(AnyRefusal::Videos(videos::Refusal::Invalid { field, complaint })))
                if field == "title" && complaint == "must not be empty"
        ),
        "{nameless:?}"
    );
    let late = Ask {
        expected_version: Some(created.version + 5),
        ..fresh()
    };
    let version = created.version;
    assert_eq!(
        refused(describe("late"), late).await,
        Err(CommandError::Stale { version })
    );
    let another_request = Ask {
        request: Some("bb".into()),
        ..ask(1)
    };
    assert_eq!(
        refused(create(1), another_request).await,
        Err(CommandError::OtherRequest)
    );
    node.close().await;
    visitor.close().await;
}

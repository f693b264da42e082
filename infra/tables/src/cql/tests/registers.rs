//! The register of versions and the layout of the keyspace.
use std::sync::Arc;

use super::super::blocking::Threads;
use super::super::register::{Generation, State};
use super::super::schema;
use super::super::server::Server;
use super::{at, check_refused, commit, open, settings, value};
use crate::CqlSettings;

/// The way around the handle, to see and spoil what is there.
pub(super) struct Inside {
    threads: Threads,
    server: Arc<Server>,
}

impl Inside {
    pub fn of(settings: &CqlSettings) -> Self {
        let threads = Threads::start().expect("they start");
        let settings = settings.clone();
        let server = threads.run(async move { Server::connect(&settings).await });
        let server = Arc::new(server.expect("it answers"));
        Self { threads, server }
    }

    fn tables(&self) -> Vec<String> {
        let server = self.server.clone();
        let listed = self.threads.run(async move { schema::tables(&server).await });
        let mut tables = listed.expect("listable");
        tables.retain(|name| !name.starts_with("spool_"));
        tables
    }

    pub fn say(&self, cql: &str) {
        let (server, cql) = (
            self.server.clone(),
            cql.replace("{keyspace}", &self.server.keyspace),
        );
        let said = self
            .threads
            .run(async move { server.define("testing", &cql).await });
        said.expect("it is done");
    }
}

#[test]
fn dropping_that_was_cut_short_is_finished_by_asking_again() {
    let settings = settings();
    let tables = open(&settings);
    let view = tables.view("cut", 1).expect("opens");
    commit(&view, |batch| {
        batch.put("t", "a", "", "first", at(40));
        batch.put("u", "a", "", "first", at(41));
    });
    let inside = Inside::of(&settings);
    assert_eq!(inside.tables().len(), 2);
    // As far as a process gets that is killed between two of its steps.
    inside.say("INSERT INTO {keyspace}.spool_versions (view_name, version, generation, dropped) VALUES ('cut', 1, 1, true)");
    inside.say(&format!("DROP TABLE {{keyspace}}.{}", inside.tables()[0]));
    let later = open(&settings);
    assert_eq!(later.versions("cut").expect("listable"), [1]);
    // It is made anew at once, with nothing of the old one, and the drop takes both.
    let again = later.view("cut", 1).expect("opens");
    assert!(again.checkpoints().is_empty() && again.tables().is_empty());
    commit(&again, |batch| batch.put("t", "a", "", "second", at(0)));
    assert_eq!(value(&again, "a"), Some("second".to_owned()));
    later.drop_version("cut", 1).expect("droppable");
    assert!(later.versions("cut").expect("listable").is_empty());
    assert!(inside.tables().is_empty(), "{:?}", inside.tables());
    let server = inside.server.clone();
    let left = inside
        .threads
        .run(async move { Generation::all(&server, "cut", 1).await });
    let left: Vec<State> = left
        .expect("readable")
        .into_iter()
        .map(|(_, state)| state)
        .collect();
    assert_eq!(left, [State::Swept, State::Swept]);
}

#[test]
fn a_keyspace_of_a_newer_program_is_refused() {
    let settings = settings();
    drop(open(&settings));
    drop(open(&settings));
    let newer = schema::FOR_VIEWS.number + 1;
    Inside::of(&settings).say(&format!(
        "INSERT INTO {{keyspace}}.spool_schema (component, version) VALUES ('tables', {newer}) USING TIMESTAMP {newer}"
    ));
    check_refused(settings, &format!("layout {newer} of a newer program"));
}

#[test]
fn a_table_that_was_registered_and_never_made_is_empty_and_is_made_when_it_is_written_to() {
    let settings = settings();
    let view = open(&settings).view("half", 1).expect("opens");
    commit(&view, |batch| batch.put("t", "a", "", "1", at(0)));
    let inside = Inside::of(&settings);
    let hash = view.content_hash().expect("readable");
    commit(&view, |batch| batch.put("u", "a", "", "2", at(1)));
    let of_u = |name: &String| name.starts_with("half_v1_u_");
    let made = inside.tables().into_iter().find(of_u).expect("it was made");
    inside.say(&format!("DROP TABLE {{keyspace}}.{made}"));
    let later = open(&settings).view("half", 1).expect("opens");
    assert_eq!(later.content_hash().expect("readable"), hash);
    assert_eq!(later.get("u", "a", "").expect("readable"), None);
    assert_eq!(later.count("u", None).expect("readable"), 0);
    assert!(later.scan("u", None, 10).expect("readable").is_empty());
    commit(&later, |batch| batch.put("u", "b", "", "3", at(2)));
    assert_eq!(later.count("u", None).expect("readable"), 1);
}

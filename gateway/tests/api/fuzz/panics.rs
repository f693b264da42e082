//! Counts panics, also those that a handler or a task swallows.

use std::sync::{Arc, Mutex, PoisonError};

pub struct Panics(Arc<Mutex<Vec<String>>>);

impl Panics {
    /// From now on, of the threads with this name. What printed panics before goes on doing so.
    pub fn counted_in(threads: &'static str) -> Self {
        let seen = Arc::new(Mutex::new(vec![]));
        let (noting, before) = (Arc::clone(&seen), std::panic::take_hook());
        std::panic::set_hook(Box::new(move |panic| {
            if std::thread::current().name() == Some(threads) {
                noting
                    .lock()
                    .unwrap_or_else(PoisonError::into_inner)
                    .push(panic.to_string());
            }
            before(panic);
        }));
        Self(seen)
    }

    pub fn seen(&self) -> Vec<String> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }
}

#[test]
fn a_panic_is_seen_in_the_threads_of_that_name_only() {
    let panics = Panics::counted_in("watched");
    for name in ["watched", "not watched"] {
        let thread = std::thread::Builder::new().name(name.to_owned());
        let ended = thread.spawn(|| panic!("as it should")).expect("a thread").join();
        assert!(ended.is_err());
    }
    assert_eq!(panics.seen().len(), 1, "{:?}", panics.seen());
}

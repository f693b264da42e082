//! Barriers: questions that are answered once a record that was sent after them has been accepted, which proves that
//! the writer still led when it was asked.

/// The barriers that wait. Those that come while one record for barriers is on its way share the next one.
pub struct Barriers<C> {
    waiting: Vec<Barrier<C>>,
}

pub struct Barrier<C> {
    /// What the caller takes for the next number.
    pub expected: u64,
    pub since: u64,
    pub caller: C,
    /// The record that will answer it.
    after: Option<u64>,
}

impl<C> Barriers<C> {
    pub const fn new() -> Self {
        Self { waiting: Vec::new() }
    }

    pub const fn is_empty(&self) -> bool {
        self.waiting.is_empty()
    }

    pub fn add(&mut self, expected: u64, since: u64, caller: C) {
        self.waiting.push(Barrier {
            expected,
            since,
            caller,
            after: None,
        });
    }

    /// The record `seq` is sent now.
    pub fn sent(&mut self, seq: u64) {
        for barrier in &mut self.waiting {
            barrier.after.get_or_insert(seq);
        }
    }

    /// Whether some wait for a record that was not sent yet.
    pub fn need_a_record(&self) -> bool {
        self.waiting.iter().any(|barrier| barrier.after.is_none())
    }

    /// The record `seq` was accepted.
    pub fn accepted(&mut self, seq: u64) -> impl Iterator<Item = Barrier<C>> {
        self.waiting
            .extract_if(.., move |barrier| barrier.after.is_some_and(|after| after <= seq))
    }

    /// What was sent for them counts no longer.
    pub fn unsent(&mut self) {
        for barrier in &mut self.waiting {
            barrier.after = None;
        }
    }

    /// When the one that waits longest came.
    pub fn oldest(&self) -> Option<u64> {
        self.waiting.first().map(|barrier| barrier.since)
    }

    /// What the caller of the first one takes for the next number.
    pub fn expected(&self) -> Option<u64> {
        self.waiting.first().map(|barrier| barrier.expected)
    }

    pub fn give_up(&mut self) -> Vec<Barrier<C>> {
        std::mem::take(&mut self.waiting)
    }
}

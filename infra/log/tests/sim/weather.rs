//! How bad a world is: its seed decides.

use crate::random::Random;

/// Chances are of a thousand, times in milliseconds.
pub struct Weather {
    pub nodes: usize,
    pub clients: usize,
    pub commands: u32,
    /// Until then things go wrong.
    pub storm: u64,
    pub request_lost: u64,
    pub request_repeated: u64,
    pub report_lost: u64,
    /// The record lies in the log, but the report has no offset.
    pub report_vague: u64,
    /// The record lies in the log, or will, but the report is an error.
    pub report_false: u64,
    /// Records of one connection overtake each other.
    pub overtaking: bool,
    pub delay: u64,
    /// Now and then something takes much longer.
    pub very_late: u64,
    /// How often, on average, each of these happens to a node.
    pub crash_every: u64,
    pub pause_every: u64,
    pub pause: u64,
    pub claim_every: u64,
    /// Of the restarts, so many begin at the beginning of the log.
    pub forgetful: u64,
    /// Readers fall behind by up to this.
    pub reading: u64,
    /// Executors hear this much later what the seat has told.
    pub waking: u64,
}

impl Weather {
    pub fn of(random: &mut Random) -> Self {
        let mut seldom = |most: u64| match random.below(3) {
            0 => 0,
            _ => random.below(most),
        };
        let (request_lost, request_repeated) = (seldom(120), seldom(200));
        let (report_lost, report_vague, report_false) = (seldom(100), seldom(200), seldom(100));
        let very_late = seldom(60);
        let (crash_every, pause_every) = (seldom(3000), seldom(3000));
        Self {
            nodes: 2 + usize::from(random.chance(500)),
            clients: 1 + usize::try_from(random.below(4)).expect("less than 4"),
            commands: 15 + u32::try_from(random.below(30)).expect("less than 30"),
            storm: 300 + random.below(1500),
            request_lost,
            request_repeated,
            report_lost,
            report_vague,
            report_false,
            overtaking: random.chance(400),
            delay: 1 + random.below(40),
            very_late,
            crash_every,
            pause_every,
            pause: 1 + random.below(800),
            claim_every: 100 + random.below(2000),
            forgetful: random.below(1000),
            reading: 1 + random.below(60),
            waking: 1 + random.below(30),
        }
    }

    /// After the storm.
    pub fn clear(&mut self) {
        self.request_lost = 0;
        self.request_repeated = 0;
        self.report_lost = 0;
        self.report_vague = 0;
        self.report_false = 0;
        self.overtaking = false;
        self.delay = 10;
        self.very_late = 0;
        self.crash_every = 0;
        self.pause_every = 0;
        self.claim_every = 0;
        self.reading = 10;
        self.waking = 5;
    }
}

//! Random numbers from a seed that is printed, so that a failure can be played again.

/// SplitMix64 (Steele, Lea, Flood 2014).
pub struct Dice(u64);

impl Dice {
    pub fn new(seed: u64) -> Self {
        Self(seed)
    }

    pub fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut mixed = self.0;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^ (mixed >> 31)
    }

    pub fn below(&mut self, count: u64) -> u64 {
        self.next() % count
    }

    pub fn one_in(&mut self, count: u64) -> bool {
        self.below(count) == 0
    }
}

/// `count` seeds, times `SPOOL_TIMES`: from `SPOOL_SEED` on if that is set, otherwise new ones each time.
pub fn seeds(count: u64) -> impl Iterator<Item = u64> {
    let times = std::env::var("SPOOL_TIMES").ok();
    let count = count * times.and_then(|times| times.parse().ok()).unwrap_or(1);
    let set = std::env::var("SPOOL_SEED")
        .ok()
        .and_then(|seed| seed.parse().ok());
    let now = || {
        std::time::UNIX_EPOCH
            .elapsed()
            .map_or(0, |time| time.as_millis() as u64)
    };
    let first = set.unwrap_or_else(now);
    (first..first + count).inspect(|seed| println!("SPOOL_SEED={seed}"))
}

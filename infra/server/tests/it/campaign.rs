//! How long a campaign is and which seed it runs with: from the environment, as `cargo xtask campaign` sets it.

use rand::SeedableRng;
use rand::rngs::StdRng;

pub struct Campaign {
    pub seed: u64,
    /// How many cuts or kills: all of them, or a tenth.
    pub rounds: u64,
}

/// Reads size and seed, and prints the seed so that the run can be repeated.
pub fn sized(name: &str, full: u64) -> Campaign {
    let rounds = if is_full() { full } else { full / 10 };
    let seed = seeded(name, &format!("{rounds} rounds"));
    Campaign { seed, rounds }
}

/// The same of a campaign that is counted in something else.
pub fn seeded(name: &str, size: &str) -> u64 {
    let chosen = std::env::var("CAMPAIGN_SEED").ok();
    let seed = chosen.map_or_else(rand::random, |text| {
        text.parse().expect("CAMPAIGN_SEED is a number")
    });
    println!("seed {seed} ({size}; repeat with: cargo xtask campaign {name} --seed {seed})");
    seed
}

pub fn is_full() -> bool {
    std::env::var_os("CAMPAIGN_FULL").is_some()
}

impl Campaign {
    /// The choices of one round, the same for the same seed whatever other rounds drew.
    pub fn choices(&self, round: u64) -> StdRng {
        StdRng::seed_from_u64(self.seed ^ round.wrapping_mul(0x9E37_79B9_7F4A_7C15))
    }
}

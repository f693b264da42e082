//! Nodes that decide by what they have heard, in a world without a network: a partition has one leader at most, since the
//! log sees to it, and whatever happened before, things come to rest with each where it should be.

use super::decision::{ROLE, Step, released, steps};
use proptest::prelude::*;
use spool_log::{Owner, Role, Standing};
use spool_platform::members::{Member, Present, Seen, first_choice};

const NODES: [&str; 4] = ["a", "b", "c", "d"];
const PARTITIONS: u16 = 8;
const LONG: u64 = 1_000;

/// What really is so, and what everybody hears at once.
#[derive(Clone, Debug)]
struct World {
    /// Of each node: for how many beats it has been there; nothing when it is not.
    there: Vec<Option<u64>>,
    /// Of each partition: who made the last claim, in which term, and whether it still leads.
    owners: Vec<Option<(usize, u64, bool)>>,
}

impl World {
    fn standings(&self, node: usize) -> Vec<Standing> {
        let standing = |owner: &Option<(usize, u64, bool)>| Standing {
            owner: owner.map(|(owner, term, _)| Owner {
                node: NODES[owner].to_owned(),
                url: format!("http://{}", NODES[owner]),
                term,
            }),
            role: match owner {
                Some((owner, _, true)) if *owner == node => Role::Leading,
                _ => Role::Following,
            },
        };
        self.owners.iter().map(standing).collect()
    }

    fn present(&self) -> Present {
        let seen = |(node, there): (usize, &Option<u64>)| {
            let mut member = Member::new(NODES[node], "", vec![ROLE.to_owned()]);
            member.released = released(NODES[node], &self.standings(node));
            there.map(|beats| Seen { member, beats })
        };
        Present {
            members: self.there.iter().enumerate().filter_map(seen).collect(),
            beats: LONG,
            hears_itself: true,
        }
    }

    fn steps(&self, node: usize) -> Vec<Step> {
        steps(NODES[node], &self.present(), &self.standings(node))
    }

    /// One node does what it thinks right. Returns how much that was.
    fn act(&mut self, node: usize) -> usize {
        let steps = self.steps(node);
        for step in &steps {
            match step {
                Step::Claim(partition) => {
                    let owner = &mut self.owners[usize::from(*partition)];
                    let term = owner.map_or(0, |(_, term, _)| term);
                    *owner = Some((node, term + 1, true));
                }
                Step::Release(partition) => {
                    if let Some((_, _, leads)) = &mut self.owners[usize::from(*partition)] {
                        *leads = false;
                    }
                }
            }
        }
        steps.len()
    }

    /// Everybody in turn, until nobody has anything to do; there has to be an end.
    fn come_to_rest(&mut self) {
        for beats in self.there.iter_mut().flatten() {
            *beats += LONG;
        }
        for _ in 0..4 {
            let mut done = 0;
            for node in 0..NODES.len() {
                if self.there[node].is_some() {
                    done += self.act(node);
                }
            }
            if done == 0 {
                return;
            }
        }
        panic!("the nodes do not come to rest: {self:?}");
    }

    fn leaders(&self) -> Vec<Option<usize>> {
        let leader = |owner: &Option<(usize, u64, bool)>| owner.filter(|owner| owner.2).map(|owner| owner.0);
        self.owners.iter().map(leader).collect()
    }

    fn should_lead(&self, partition: u16) -> Option<usize> {
        let there = (0..NODES.len()).filter(|node| self.there[*node].is_some());
        let chosen = first_choice(there.map(|node| NODES[node]), &format!("partition {partition}"));
        NODES.iter().position(|node| Some(*node) == chosen)
    }

    fn check_rests_well(&self) {
        for (partition, leader) in (0..).zip(self.leaders()) {
            assert_eq!(leader, self.should_lead(partition), "partition {partition}");
        }
    }

    /// As `kill -9` does: the log still has its claims.
    fn kill(&mut self, node: usize) {
        self.there[node] = None;
    }

    /// What was killed comes back: it leads nothing, whatever the log says of it.
    fn start(&mut self, node: usize) {
        self.there[node] = Some(0);
        for owner in self.owners.iter_mut().flatten().filter(|owner| owner.0 == node) {
            owner.2 = false;
        }
    }
}

fn worlds() -> impl Strategy<Value = World> {
    let there = prop::collection::vec(prop::option::of(0..30_u64), NODES.len());
    let owner = prop::option::of((0..NODES.len(), 1..5_u64, any::<bool>()));
    let owners = prop::collection::vec(owner, usize::from(PARTITIONS));
    (there, owners).prop_map(|(there, owners)| {
        let mut world = World { there, owners };
        if world.there.iter().all(Option::is_none) {
            world.there[0] = Some(0);
        }
        world
    })
}

proptest! {
    #[test]
    fn everything_is_led_where_it_should_be_in_the_end(mut world in worlds()) {
        world.come_to_rest();
        world.check_rests_well();
    }

    #[test]
    fn nobody_claims_what_somebody_leads(world in worlds(), node in 0..NODES.len()) {
        for step in world.steps(node) {
            let (Step::Claim(partition) | Step::Release(partition)) = step;
            let owner = world.owners[usize::from(partition)];
            let is_led = owner.is_some_and(|(owner, _, leads)| leads && world.there[owner].is_some());
            match step {
                Step::Claim(_) => prop_assert!(!is_led),
                Step::Release(_) => prop_assert_eq!(owner.map(|owner| (owner.0, owner.2)), Some((node, true))),
            }
        }
    }

    #[test]
    fn one_that_dies_moves_only_what_it_led(mut world in worlds(), dead in 0..NODES.len()) {
        world.come_to_rest();
        let before = world.leaders();
        world.kill(dead);
        prop_assume!(world.there.iter().any(Option::is_some));
        world.come_to_rest();
        world.check_rests_well();
        for (before, after) in before.into_iter().zip(world.leaders()) {
            prop_assert!(before == after || before == Some(dead));
        }
    }

    #[test]
    fn one_that_comes_is_given_nothing_that_is_led_until_it_has_settled(mut world in worlds(), new in 0..NODES.len()) {
        world.there[new] = None;
        prop_assume!(world.there.iter().any(Option::is_some));
        world.come_to_rest();
        let before = world.leaders();
        world.start(new);
        for node in 0..NODES.len() {
            if world.there[node].is_some() {
                prop_assert_eq!(world.act(node), 0);
            }
        }
        prop_assert_eq!(world.leaders(), before.clone());
        world.there[new] = Some(LONG);
        world.come_to_rest();
        world.check_rests_well();
        for (before, after) in before.into_iter().zip(world.leaders()) {
            prop_assert!(before == after || after == Some(new));
        }
    }
}

fn check_quiet(change: impl FnOnce(&mut Present)) {
    let world = World {
        there: vec![Some(LONG), None, None, None],
        owners: vec![None; usize::from(PARTITIONS)],
    };
    let mut present = world.present();
    let steps_of = |present: &Present| steps("a", present, &world.standings(0)).len();
    assert_eq!(steps_of(&present), usize::from(PARTITIONS), "alone it claims all");
    change(&mut present);
    assert_eq!(steps_of(&present), 0);
}

#[test]
fn nothing_is_done_in_the_first_second() {
    check_quiet(|present| present.beats = 3);
}

#[test]
fn who_does_not_hear_itself_does_nothing() {
    check_quiet(|present| present.hears_itself = false);
}

#[test]
fn a_node_without_the_role_leads_nothing() {
    check_quiet(|present| present.members[0].member.roles = vec!["gateway".to_owned()]);
}

#[test]
fn what_was_released_in_an_earlier_term_is_not_claimed() {
    let partition = (0..PARTITIONS)
        .find(|partition| first_choice(["a", "b"], &format!("partition {partition}")) == Some("a"))
        .expect("a share of them is its own");
    let mut world = World {
        there: vec![Some(LONG), Some(LONG), None, None],
        owners: vec![Some((1, 7, false)); usize::from(PARTITIONS)],
    };
    assert!(world.steps(0).contains(&Step::Claim(partition)));
    // It has claimed it again since, and what it says comes later than what the log does.
    let said = world.present();
    world.owners[usize::from(partition)] = Some((1, 8, true));
    let steps = steps("a", &said, &world.standings(0));
    assert!(!steps.contains(&Step::Claim(partition)));
}

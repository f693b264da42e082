//! What a node should do about the partitions, from who is there and who leads. No clock, no IO.

use spool_log::{Owner, Role, Standing};
use spool_platform::members::{BEATS_SETTLED, BEATS_SILENT, Present, Released, first_choice};

/// The role whose nodes lead partitions.
pub const ROLE: &str = "commands";

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Step {
    Claim(u16),
    Release(u16),
}

/// What `node` should do now. A partition belongs to the first choice among those who are there; it is claimed when
/// its owner is gone or has released it, and released when its owner should be another that has settled. In the first second,
/// and while this node does not hear itself, nothing is done: it cannot know who is there.
pub fn steps(node: &str, present: &Present, standings: &[Standing]) -> Vec<Step> {
    let may_lead = present.member(node).is_some_and(|me| me.has_role(ROLE));
    if !may_lead || !present.hears_itself || present.beats < BEATS_SILENT {
        return vec![];
    }
    let partitions = (0..).zip(standings);
    partitions
        .filter_map(|(partition, standing)| step(node, partition, present, standing))
        .collect()
}

fn step(node: &str, partition: u16, present: &Present, standing: &Standing) -> Option<Step> {
    let should = should_lead(partition, present)?;
    match standing.role {
        Role::Following if should == node => {
            let owner = standing.owner.as_ref();
            let waits = owner.is_none_or(|owner| is_without_leader(node, partition, present, owner));
            waits.then_some(Step::Claim(partition))
        }
        Role::Leading if should != node => {
            let has_settled = |beats| beats >= BEATS_SETTLED;
            let heir = present.members.iter().find(|seen| seen.member.node == should);
            let is_ready = heir.is_some_and(|heir| has_settled(heir.beats));
            is_ready.then_some(Step::Release(partition))
        }
        Role::Following | Role::Claiming | Role::Leading => None,
    }
}

fn should_lead(partition: u16, present: &Present) -> Option<&str> {
    let candidates = present.with_role(ROLE).map(|seen| seen.member.node.as_str());
    first_choice(candidates, &format!("partition {partition}"))
}

/// Whether nobody leads it, though the log's last claim is this owner's. Its name may be ours: from before a restart, or
/// because we have released it.
fn is_without_leader(node: &str, partition: u16, present: &Present, owner: &Owner) -> bool {
    let term = owner.term;
    let Some(member) = present.member(&owner.node).filter(|member| member.has_role(ROLE)) else {
        return true;
    };
    owner.node == node || member.released.contains(&Released { partition, term })
}

/// What `node` leads no longer though the log has no later claim than its own: others wait to hear that.
pub fn released(node: &str, standings: &[Standing]) -> Vec<Released> {
    let is_released = |(partition, standing): (u16, &Standing)| {
        let owner = standing.owner.as_ref().filter(|owner| owner.node == node)?;
        let term = owner.term;
        (standing.role == Role::Following).then_some(Released { partition, term })
    };
    (0..).zip(standings).filter_map(is_released).collect()
}

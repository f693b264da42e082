//! Tasks that one node does at a time, such as writing the rows of the views. That two do one for a moment must be harmless.
use std::future::Future;
use std::pin::pin;
use std::sync::Arc;

use tokio_util::sync::CancellationToken;

use super::{BEAT, BEATS_SETTLED, BEATS_SILENT, Members, Present, first_choice};

impl Present {
    /// Whether `node` should do `task` now, of which `does` says whether it does it already. The task belongs to the first choice
    /// among those with the role. It begins when nobody else does the task, and who does it ends when the first choice is
    /// another that has settled. Until a node has heard itself for a second, everything stays as it is.
    pub fn should_do(&self, node: &str, role: &str, task: &str, does: bool) -> bool {
        if !self.hears_itself || self.beats < BEATS_SILENT {
            return does;
        }
        let candidates = self.with_role(role).map(|seen| seen.member.node.as_str());
        let Some(chosen) = first_choice(candidates, task) else {
            return false;
        };
        if chosen == node {
            let others = self.members.iter().filter(|seen| seen.member.node != node);
            return does || !others.into_iter().any(|seen| seen.member.does(task));
        }
        let heir = self.members.iter().find(|seen| seen.member.node == chosen);
        let has_settled = heir.is_some_and(|heir| heir.beats >= BEATS_SETTLED);
        does && !has_settled
    }
}

impl Members {
    /// Does `work` whenever this node is the one that should do `task`, until `stop`. The token that the work is given says
    /// when its turn is over; it should end soon after. Work that ends by itself is begun again.
    pub async fn take_turns<W, F>(&self, role: &str, task: &str, stop: CancellationToken, work: W)
    where
        W: Fn(CancellationToken) -> F,
        F: Future<Output = ()>,
    {
        let mut present = self.present();
        loop {
            let is_our_turn = |present: &Arc<Present>| present.should_do(&self.node, role, task, false);
            tokio::select! {
                () = stop.cancelled() => return,
                waited = present.wait_for(is_our_turn) => if waited.is_err() {
                    return;
                },
            }
            tracing::info!(task, "this node does it from now on");
            self.say_that_it_does(task, true);
            self.one_turn(role, task, stop.child_token(), &work).await;
            self.say_that_it_does(task, false);
            tracing::info!(task, "this node does it no longer");
            // The others first see that, and nothing that breaks at once goes round in a circle.
            tokio::time::sleep(BEAT).await;
        }
    }

    async fn one_turn<W, F>(&self, role: &str, task: &str, turn: CancellationToken, work: W)
    where
        W: Fn(CancellationToken) -> F,
        F: Future<Output = ()>,
    {
        let mut present = self.present();
        let mut working = pin!(work(turn.clone()));
        let is_over = |present: &Arc<Present>| !present.should_do(&self.node, role, task, true);
        tokio::select! {
            () = &mut working => return,
            // Also when this node has left.
            _ = present.wait_for(is_over) => {}
            () = turn.cancelled() => {}
        }
        turn.cancel();
        working.await;
    }

    fn say_that_it_does(&self, task: &str, does: bool) {
        self.saying.send_if_modified(|saying| match does {
            true => saying.does.insert(task.to_owned()),
            false => saying.does.remove(task),
        });
    }
}

#[cfg(test)]
mod tests {
    use super::super::{Member, Seen};
    use super::*;

    const NODES: [&str; 4] = ["a", "b", "c", "d"];
    const TASK: &str = "views";

    fn seen(node: &str, beats: u64, does: bool) -> Seen {
        let mut member = Member::new(node, "", vec!["projections".to_owned()]);
        member.does = does.then(|| TASK.to_owned()).into_iter().collect();
        Seen { member, beats }
    }

    fn present(members: Vec<Seen>) -> Present {
        Present {
            members,
            beats: 1_000,
            hears_itself: true,
        }
    }

    fn should_do(node: &str, present: &Present) -> bool {
        let does = present.member(node).is_some_and(|member| member.does(TASK));
        present.should_do(node, "projections", TASK, does)
    }

    /// Whoever did it before, however many: those that are there come to agree on one that does it.
    #[test]
    fn one_node_does_it_in_the_end() {
        // Of each node: it is not there, or it is and does not do the task, or does.
        for state in 1..3_usize.pow(4) {
            let of = |at: u32| state / 3_usize.pow(at) % 3;
            let there = NODES.iter().zip(0..).filter(|(_, at)| of(*at) > 0);
            let mut world = present(there.map(|(node, at)| seen(node, 1_000, of(at) == 2)).collect());
            for _ in 0..3 {
                for at in 0..world.members.len() {
                    let node = world.members[at].member.node.clone();
                    world.members[at] = seen(&node, 1_000, should_do(&node, &world));
                }
            }
            let names = world.members.iter().map(|seen| seen.member.node.as_str());
            let doing: Vec<_> = names.clone().filter(|node| should_do(node, &world)).collect();
            assert_eq!(doing, Vec::from_iter(first_choice(names, TASK)), "{world:?}");
        }
    }

    #[test]
    fn nobody_begins_while_another_does_it_or_before_it_knows_who_is_there() {
        let chosen = first_choice(NODES, TASK).expect("there are some");
        let other = NODES
            .into_iter()
            .find(|node| *node != chosen)
            .expect("there are more");
        let mut world = present(vec![seen(chosen, 0, false), seen(other, 1_000, true)]);
        assert!(!should_do(chosen, &world), "another one does it");
        assert!(should_do(other, &world), "the first choice has only just come");
        world.members[0].beats = BEATS_SETTLED;
        assert!(!should_do(other, &world));
        world.members[1] = seen(other, 1_000, false);
        assert!(should_do(chosen, &world));
        world.beats = BEATS_SILENT - 1;
        assert!(!should_do(chosen, &world));
        world.beats = BEATS_SILENT;
        world.hears_itself = false;
        assert!(!should_do(chosen, &world));
        world.hears_itself = true;
        assert!(
            !world.should_do(chosen, "workers", TASK, true),
            "nobody has that role"
        );
    }
}

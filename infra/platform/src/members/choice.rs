//! Who should do what: a choice that all nodes make alike from the same members, and that changes little with them.

/// The node that should do `task` (rendezvous hashing): when one goes, only its own tasks move, to all of those that stay, and
/// one that comes takes its share from all. The same in every version and on every machine.
pub fn first_choice<'a>(nodes: impl IntoIterator<Item = &'a str>, task: &str) -> Option<&'a str> {
    nodes
        .into_iter()
        .max_by_key(|node| (score(node, task), std::cmp::Reverse(*node)))
}

/// FNV-1a over both with a mark between them, and then the finish of MurmurHash3, without which similar names would score
/// alike.
fn score(node: &str, task: &str) -> u64 {
    let bytes = node.bytes().chain([0xff]).chain(task.bytes());
    let mut hash = bytes.fold(0xcbf2_9ce4_8422_2325_u64, |hash, byte| {
        (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3)
    });
    hash = (hash ^ (hash >> 33)).wrapping_mul(0xff51_afd7_ed55_8ccd);
    hash = (hash ^ (hash >> 33)).wrapping_mul(0xc4ce_b9fe_1a85_ec53);
    hash ^ (hash >> 33)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::BTreeMap;

    const NODES: [&str; 5] = ["node-1", "node-2", "node-3", "node-4", "node-5"];

    fn task(number: usize) -> String {
        format!("partition {number}")
    }

    #[test]
    fn tasks_are_shared_out_evenly() {
        let mut shares = BTreeMap::new();
        for number in 0..5_000 {
            let chosen = first_choice(NODES, &task(number)).expect("there are nodes");
            *shares.entry(chosen).or_insert(0) += 1;
        }
        assert_eq!(shares.len(), NODES.len());
        assert!(
            shares.values().all(|share| (850..1_150).contains(share)),
            "{shares:?}"
        );
    }

    #[test]
    fn when_a_node_goes_only_its_tasks_move_and_to_all_others() {
        let mut heirs = BTreeMap::new();
        for number in 0..1_000 {
            let left = NODES.into_iter().filter(|node| *node != "node-3");
            let (before, after) = (
                first_choice(NODES, &task(number)),
                first_choice(left, &task(number)),
            );
            if before == Some("node-3") {
                *heirs.entry(after).or_insert(0) += 1;
            } else {
                assert_eq!(after, before);
            }
        }
        assert_eq!(heirs.len(), 4);
        assert!(heirs.values().all(|share| *share > 25), "{heirs:?}");
    }

    #[test]
    fn the_choice_is_the_same_for_ever() {
        let choices = [0, 1, 2, 3].map(|number| first_choice(["a", "b", "c"], &task(number)));
        assert_eq!(choices, [Some("c"), Some("a"), Some("c"), Some("a")]);
        assert_eq!(first_choice(NODES, &task(7)), Some("node-2"));
        assert_eq!(first_choice([], &task(7)), None);
    }
}

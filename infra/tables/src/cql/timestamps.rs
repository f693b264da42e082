//! The write timestamps, which make every write absolute: the one from further on in the log wins, whenever it arrives.

/// Two for each position, since a row can be put or deleted at it. A batch holds one write for each row, so no
/// finer order is needed within a position.
const A_POSITION: i64 = 2;

/// A put at this offset wins over everything at lower ones.
pub(super) fn put(offset: u64) -> i64 {
    offset_of(offset) * A_POSITION
}

/// A deletion wins over a put at the same offset. Of the two, only the deletion leaves no position behind in the row, so
/// only after it can a repeated fold be unaware that the row has been there already.
pub(super) fn delete(offset: u64) -> i64 {
    put(offset) + 1
}

/// A checkpoint never goes back: a lower one is written with a lower timestamp.
pub(super) fn checkpoint(next_offset: u64) -> i64 {
    offset_of(next_offset)
}

/// From 1, because 0 has its own meaning in some servers' tools. Offsets stay far below the present in microseconds
/// (1.7 · 10¹⁵), past which a server may refuse a timestamp.
fn offset_of(offset: u64) -> i64 {
    i64::try_from(offset).map_or(i64::MAX / A_POSITION - 1, |offset| offset + 1)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn later_positions_win_and_a_deletion_wins_at_the_same_one() {
        let order = [put(0), delete(0), put(1), delete(1), put(2)];
        assert!(order.is_sorted_by(|a, b| a < b) && order[0] > 0, "{order:?}");
        assert!(checkpoint(7) < checkpoint(8));
        assert!(delete(800_000_000_000_000) < 1_764_000_000_000_000);
    }
}

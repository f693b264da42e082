//! Where a copied source is cut into segments: at its own keyframes, 2 to 6 s apart.

pub const SHORTEST_SEGMENT_MS: u64 = 2_000;
pub const TARGET_SEGMENT_MS: u64 = 4_000;
pub const LONGEST_SEGMENT_MS: u64 = 6_000;

/// Which of the keyframes begin a segment.
///
/// `keyframes_ms` are all keyframes, rising; the film runs from the first of them to `end_ms`. The answer is indexes
/// into it, the first always 0. Only the last segment may be shorter than 2 s; none is longer than 6 s. `None`: the
/// keyframes do not allow it. The same input gives the same cuts, so a later attempt and the other rungs find the
/// same segments.
pub fn plan_cuts(keyframes_ms: &[u64], end_ms: u64) -> Option<Vec<usize>> {
    let &first = keyframes_ms.first()?;
    if end_ms <= first {
        return None;
    }
    let reaches_end = keyframes_that_reach_the_end(keyframes_ms, end_ms);
    if !reaches_end[0] {
        return None;
    }
    let mut cuts = vec![0];
    let mut here = 0;
    while let Some(next) = best_next(keyframes_ms, here, end_ms, &reaches_end) {
        cuts.push(next);
        here = next;
    }
    Some(cuts)
}

/// For each keyframe: can the rest of the film be cut if a segment begins here?
fn keyframes_that_reach_the_end(keyframes_ms: &[u64], end_ms: u64) -> Vec<bool> {
    let mut reaches = vec![false; keyframes_ms.len()];
    for from in (0..keyframes_ms.len()).rev() {
        let to_the_end = end_ms.saturating_sub(keyframes_ms[from]);
        reaches[from] =
            to_the_end <= LONGEST_SEGMENT_MS || candidates(keyframes_ms, from).any(|next| reaches[next]);
    }
    reaches
}

/// The keyframes at which a segment that begins at `from` may end.
fn candidates(keyframes_ms: &[u64], from: usize) -> impl Iterator<Item = usize> {
    let start = keyframes_ms[from];
    (from + 1..keyframes_ms.len())
        .take_while(move |&next| keyframes_ms[next] <= start + LONGEST_SEGMENT_MS)
        .filter(move |&next| keyframes_ms[next] >= start + SHORTEST_SEGMENT_MS)
}

/// The end closest to the target among those from which the film can be finished; none: this segment is the last.
fn best_next(keyframes_ms: &[u64], from: usize, end_ms: u64, reaches_end: &[bool]) -> Option<usize> {
    let start = keyframes_ms[from];
    let last_fits = end_ms.saturating_sub(start) <= LONGEST_SEGMENT_MS;
    candidates(keyframes_ms, from)
        .filter(|&next| reaches_end[next] && keyframes_ms[next] < end_ms)
        .min_by_key(|&next| keyframes_ms[next].abs_diff(start + TARGET_SEGMENT_MS))
        .filter(|&next| !(last_fits && end_ms - keyframes_ms[next] < SHORTEST_SEGMENT_MS))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(keyframes_s: &[f64], end_s: f64, expected: Option<&[usize]>) {
        let keyframes: Vec<u64> = keyframes_s.iter().map(|s| (s * 1000.0) as u64).collect();
        assert_eq!(
            plan_cuts(&keyframes, (end_s * 1000.0) as u64).as_deref(),
            expected
        );
    }

    #[test]
    fn a_keyframe_every_second_gives_four_second_segments() {
        let every_second: Vec<f64> = (0..12).map(f64::from).collect();
        check(&every_second, 12.0, Some(&[0, 4, 8]));
    }

    #[test]
    fn a_single_keyframe_is_one_segment_when_the_film_is_short() {
        check(&[0.0], 5.3, Some(&[0]));
        check(&[0.0], 6.1, None);
    }

    #[test]
    fn an_early_cut_is_taken_when_only_it_leads_to_the_end() {
        check(&[0.0, 2.5, 4.0, 5.7, 11.5], 13.0, Some(&[0, 1, 3, 4]));
    }

    #[test]
    fn keyframes_ten_seconds_apart_cannot_be_cut() {
        check(&[0.0, 10.0, 20.0], 24.0, None);
    }

    #[test]
    fn a_tail_shorter_than_a_segment_stays_with_the_one_before_it() {
        check(&[0.0, 4.0, 5.0], 5.5, Some(&[0]));
    }
}

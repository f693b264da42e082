//! Parts of objects over HTTP (RFC 9110, sections 13 and 14): which bytes a request wants, and the answer's headers.
use std::ops::Range;

/// What a request wants of an object.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Wanted {
    /// 200 with everything.
    Whole,
    /// 206 with these bytes and [`content_range`].
    Part(Range<u64>),
    /// 416 with [`content_range_unsatisfied`].
    Unsatisfiable,
}

/// Reads the header `Range` for an object of `size` bytes. What is not understood, and several ranges at once, are
/// answered with everything, as the standard allows.
pub fn parse(header: Option<&str>, size: u64) -> Wanted {
    match header.and_then(Asked::read) {
        None => Wanted::Whole,
        Some(Asked::From { first, .. }) if first >= size => Wanted::Unsatisfiable,
        Some(Asked::From { first, last }) => Wanted::Part(first..last.saturating_add(1).min(size)),
        Some(Asked::Last(0)) => Wanted::Unsatisfiable,
        // Nothing has no part that a header could name.
        Some(Asked::Last(_)) if size == 0 => Wanted::Whole,
        Some(Asked::Last(length)) => Wanted::Part(size.saturating_sub(length)..size),
    }
}

/// `Content-Range` of a 206.
pub fn content_range(part: &Range<u64>, size: u64) -> String {
    format!("bytes {}-{}/{size}", part.start, part.end.saturating_sub(1))
}

/// `Content-Range` of a 416.
pub fn content_range_unsatisfied(size: u64) -> String {
    format!("bytes */{size}")
}

/// Whether `Range` counts, given the header `If-Range`: without one, or when it names exactly this strong tag. A date
/// is taken for a change, which costs a whole answer and never gives a wrong part.
pub fn if_range_allows(header: Option<&str>, etag: &str) -> bool {
    header.is_none_or(|header| header.trim() == etag && !etag.starts_with("W/"))
}

/// Whether the body is to be sent, given the header `If-None-Match`; if not, the answer is 304.
pub fn none_match(header: Option<&str>, etag: &str) -> bool {
    let opaque = |tag: &str| tag.trim().trim_start_matches("W/").to_owned();
    let matches =
        |header: &str| header.trim() == "*" || header.split(',').any(|tag| opaque(tag) == opaque(etag));
    !header.is_some_and(matches)
}

enum Asked {
    From { first: u64, last: u64 },
    Last(u64),
}

impl Asked {
    /// `None` for what is to be ignored.
    fn read(header: &str) -> Option<Self> {
        let (unit, set) = header.split_once('=')?;
        if !unit.trim().eq_ignore_ascii_case("bytes") || set.contains(',') {
            return None;
        }
        let (first, last) = set.trim().split_once('-')?;
        match (first, last) {
            ("", length) => Some(Self::Last(number(length)?)),
            (first, "") => Some(Self::From {
                first: number(first)?,
                last: u64::MAX,
            }),
            (first, last) => {
                let (first, last) = (number(first)?, number(last)?);
                (first <= last).then_some(Self::From { first, last })
            }
        }
    }
}

/// Digits only; a number beyond what we can hold is as good as the largest we can.
fn number(digits: &str) -> Option<u64> {
    let plain = !digits.is_empty() && digits.bytes().all(|digit| digit.is_ascii_digit());
    plain.then(|| digits.parse().unwrap_or(u64::MAX))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ranges_are_read_as_the_standard_says() {
        let check = |header: &str, size: u64, expected: Wanted| {
            assert_eq!(parse(Some(header), size), expected, "{header:?} of {size}");
        };
        assert_eq!(parse(None, 10), Wanted::Whole);
        check("bytes=0-4", 10, Wanted::Part(0..5));
        check("bytes=5-", 10, Wanted::Part(5..10));
        check("bytes=-3", 10, Wanted::Part(7..10));
        check("bytes=-30", 10, Wanted::Part(0..10));
        check("Bytes = 9-9 ", 10, Wanted::Part(9..10));
        check("bytes=0-999999999999999999999999", 10, Wanted::Part(0..10));
        check("bytes=0-18446744073709551615", 10, Wanted::Part(0..10));
        check("bytes=10-", 10, Wanted::Unsatisfiable);
        check("bytes=999999999999999999999999-", 10, Wanted::Unsatisfiable);
        check("bytes=-0", 10, Wanted::Unsatisfiable);
        check("bytes=0-0", 0, Wanted::Unsatisfiable);
        check("bytes=-5", 0, Wanted::Whole);
        for ignored in [
            "",
            "bytes",
            "bytes=",
            "bytes=-",
            "bytes=5-4",
            "bytes=a-b",
            "bytes=1-2,4-5",
            "lines=1-2",
            "bytes=+1-2",
        ] {
            check(ignored, 10, Wanted::Whole);
        }
        assert_eq!(content_range(&(5..10), 10), "bytes 5-9/10");
        assert_eq!(content_range_unsatisfied(10), "bytes */10");
    }

    #[test]
    fn conditions_compare_tags() {
        assert!(if_range_allows(None, "\"a\"") && if_range_allows(Some("\"a\""), "\"a\""));
        assert!(!if_range_allows(Some("\"b\""), "\"a\"") && !if_range_allows(Some("W/\"a\""), "W/\"a\""));
        assert!(!if_range_allows(Some("Wed, 21 Oct 2015 07:28:00 GMT"), "\"a\""));
        assert!(none_match(None, "\"a\"") && none_match(Some("\"b\", \"c\""), "\"a\""));
        assert!(!none_match(Some("\"b\", W/\"a\""), "\"a\"") && !none_match(Some("*"), "\"a\""));
    }
}

//! Time as the domain knows it: milliseconds since 1970 in UTC, written as RFC 3339.

use crate::text::write_digits;
use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::{Deserialize, Deserializer, Serialize, Serializer, de};
use std::borrow::Cow;
use std::fmt;
use std::ops::{Add, Sub};
use std::str::FromStr;

const DAY_MS: i64 = 86_400_000;

/// A moment, in milliseconds since 1970-01-01T00:00:00Z. As text: RFC 3339 in UTC with three decimals,
/// for example `2026-11-21T08:00:00.000Z`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Timestamp(i64);

/// A span, in milliseconds.
#[derive(
    Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, JsonSchema,
)]
#[serde(transparent)]
pub struct Millis(pub i64);

/// A text that is no time, shortened.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("not a time in RFC 3339, UTC: {0:?}")]
pub struct NotATime(String);

impl Timestamp {
    /// The first moment that can be written: year 0.
    pub const MIN: Self = Self(days_from_civil(0, 1, 1) * DAY_MS);
    /// The last moment that can be written: the end of year 9999.
    pub const MAX: Self = Self(days_from_civil(10_000, 1, 1) * DAY_MS - 1);

    /// The moment `millis` milliseconds after 1970-01-01T00:00:00Z, or the nearest that can be written:
    /// an event with a time that cannot be read back would make its stream unreadable.
    pub const fn from_millis(millis: i64) -> Self {
        if millis < Self::MIN.0 {
            Self::MIN
        } else if millis > Self::MAX.0 {
            Self::MAX
        } else {
            Self(millis)
        }
    }

    /// Milliseconds since 1970-01-01T00:00:00Z.
    pub const fn as_millis(self) -> i64 {
        self.0
    }

    /// The UTC day it falls on, as days since 1970-01-01.
    pub const fn day(self) -> i64 {
        self.0.div_euclid(DAY_MS)
    }

    /// The UTC day as `YYYY-MM-DD`.
    pub fn date(self) -> String {
        let (year, month, day) = civil_from_days(self.day());
        format!("{year:04}-{month:02}-{day:02}")
    }

    fn with_text<T>(self, take: impl FnOnce(&str) -> T) -> T {
        let (year, month, day) = civil_from_days(self.day());
        let in_day = self.0.rem_euclid(DAY_MS);
        let (second, milli) = (in_day / 1000, in_day % 1000);
        let (hour, minute, second) = (second / 3600, second / 60 % 60, second % 60);
        let mut text = *b"0000-00-00T00:00:00.000Z";
        let numbers = [
            (year, 0..4),
            (month, 5..7),
            (day, 8..10),
            (hour, 11..13),
            (minute, 14..16),
            (second, 17..19),
            (milli, 20..23),
        ];
        for (number, digits) in numbers {
            write_digits(number.cast_unsigned(), &mut text[digits]);
        }
        take(str::from_utf8(&text).expect("digits are ASCII"))
    }
}

impl Add<Millis> for Timestamp {
    type Output = Self;
    fn add(self, span: Millis) -> Self {
        Self::from_millis(self.0.saturating_add(span.0))
    }
}

impl Sub for Timestamp {
    type Output = Millis;
    fn sub(self, earlier: Self) -> Millis {
        Millis(self.0.saturating_sub(earlier.0))
    }
}

impl fmt::Display for Timestamp {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.with_text(|text| out.write_str(text))
    }
}

impl FromStr for Timestamp {
    type Err = NotATime;

    /// Reads RFC 3339 in UTC (`Z`), with up to nine decimals, of which three are kept.
    fn from_str(text: &str) -> Result<Self, NotATime> {
        parse(text.as_bytes())
            .map(Self)
            .ok_or_else(|| NotATime(text.chars().take(40).collect()))
    }
}

fn parse(text: &[u8]) -> Option<i64> {
    let number = |from: usize, to: usize| -> Option<i64> {
        text.get(from..to)?.iter().try_fold(0i64, |sum, byte| {
            byte.is_ascii_digit().then(|| sum * 10 + i64::from(byte - b'0'))
        })
    };
    let separators = [(4, b'-'), (7, b'-'), (10, b'T'), (13, b':'), (16, b':')];
    if separators.iter().any(|(at, byte)| text.get(*at) != Some(byte)) {
        return None;
    }
    let (year, month, day) = (number(0, 4)?, number(5, 7)?, number(8, 10)?);
    let (hour, minute, second) = (number(11, 13)?, number(14, 16)?, number(17, 19)?);
    let in_range =
        (1..=12).contains(&month) && (1..=31).contains(&day) && hour < 24 && minute < 60 && second < 60;
    let rest = text.get(19..)?;
    let decimals = match rest {
        [b'Z'] => &[][..],
        [b'.', digits @ .., b'Z'] if (1..=9).contains(&digits.len()) => digits,
        _ => return None,
    };
    if !in_range || !decimals.iter().all(u8::is_ascii_digit) {
        return None;
    }
    let milli = (0..3).fold(0, |sum, at| {
        sum * 10 + decimals.get(at).map_or(0, |byte| i64::from(byte - b'0'))
    });
    let days = days_from_civil(year, month, day);
    (civil_from_days(days) == (year, month, day))
        .then(|| days * DAY_MS + (hour * 3600 + minute * 60 + second) * 1000 + milli)
}

/// Howard Hinnant, "chrono-Compatible Low-Level Date Algorithms".
const fn days_from_civil(year: i64, month: i64, day: i64) -> i64 {
    let year = if month <= 2 { year - 1 } else { year };
    let era = year.div_euclid(400);
    let year_of_era = year.rem_euclid(400);
    let day_of_year = (153 * ((month + 9) % 12) + 2) / 5 + day - 1;
    let day_of_era = year_of_era * 365 + year_of_era / 4 - year_of_era / 100 + day_of_year;
    era * 146_097 + day_of_era - 719_468
}

/// The inverse of [`days_from_civil`], from the same source.
const fn civil_from_days(days: i64) -> (i64, i64, i64) {
    let shifted = days + 719_468;
    let era = shifted.div_euclid(146_097);
    let day_of_era = shifted.rem_euclid(146_097);
    let year_of_era = (day_of_era - day_of_era / 1460 + day_of_era / 36_524 - day_of_era / 146_096) / 365;
    let day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let shifted_month = (5 * day_of_year + 2) / 153;
    let day = day_of_year - (153 * shifted_month + 2) / 5 + 1;
    let month = if shifted_month < 10 {
        shifted_month + 3
    } else {
        shifted_month - 9
    };
    let year = year_of_era + era * 400 + if month <= 2 { 1 } else { 0 };
    (year, month, day)
}

impl Serialize for Timestamp {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        self.with_text(|text| serializer.serialize_str(text))
    }
}

impl<'de> Deserialize<'de> for Timestamp {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Visitor;
        impl de::Visitor<'_> for Visitor {
            type Value = Timestamp;
            fn expecting(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
                out.write_str("a time in RFC 3339, UTC")
            }
            fn visit_str<E: de::Error>(self, text: &str) -> Result<Timestamp, E> {
                text.parse().map_err(E::custom)
            }
        }
        deserializer.deserialize_str(Visitor)
    }
}

impl JsonSchema for Timestamp {
    fn schema_name() -> Cow<'static, str> {
        "Timestamp".into()
    }
    fn inline_schema() -> bool {
        true
    }
    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({"type": "string", "format": "date-time"})
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn check(text: &str, millis: i64) {
        assert_eq!(
            text.parse::<Timestamp>().map(Timestamp::as_millis),
            Ok(millis),
            "{text}"
        );
    }

    #[test]
    fn known_moments_are_read() {
        check("1970-01-01T00:00:00Z", 0);
        check("2000-02-29T12:34:56.789Z", 951_827_696_789);
        check("1969-12-31T23:59:59.999Z", -1);
        check("2026-11-21T08:00:00.5Z", 1_795_248_000_500);
    }

    #[test]
    fn what_is_no_time_is_refused() {
        for text in [
            "",
            "2026-11-21",
            "2026-02-30T00:00:00Z",
            "2026-11-21T24:00:00Z",
            "2026-11-21T08:00:00+01:00",
        ] {
            assert!(text.parse::<Timestamp>().is_err(), "{text}");
        }
    }

    #[test]
    fn no_moment_is_beyond_what_can_be_written() {
        assert_eq!(Timestamp::MIN.to_string(), "0000-01-01T00:00:00.000Z");
        assert_eq!(Timestamp::MAX.to_string(), "9999-12-31T23:59:59.999Z");
        assert_eq!(Timestamp::from_millis(i64::MAX), Timestamp::MAX);
        assert_eq!(Timestamp::from_millis(i64::MIN), Timestamp::MIN);
        assert_eq!(Timestamp::default() + Millis(i64::MAX), Timestamp::MAX);
    }

    proptest! {
        #[test]
        fn what_is_written_is_read_back(start in proptest::num::i64::ANY, span in proptest::num::i64::ANY) {
            for time in [Timestamp::from_millis(start), Timestamp::from_millis(start) + Millis(span)] {
                prop_assert_eq!(time.to_string().parse::<Timestamp>(), Ok(time));
            }
        }

        #[test]
        fn every_moment_of_the_common_years_is_read_back(millis in 0i64..253_402_300_799_999) {
            let time = Timestamp::from_millis(millis);
            prop_assert_eq!(time.to_string().parse::<Timestamp>(), Ok(time));
            prop_assert_eq!(time.as_millis(), millis);
        }

        #[test]
        fn any_text_is_a_time_or_refused(text in "\\PC*|[0-9TZ:.-]{10,30}") {
            let _ = text.parse::<Timestamp>();
        }
    }
}

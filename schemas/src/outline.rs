//! The outline of a commit: the parts that a view needs of most commits, with all else left as the JSON that it was.
//!
//! A record as [`Commit::encode`](crate::Commit::encode) writes it is not parsed: only the places are sought where its parts begin
//! and end. Any other JSON of the same shape is read by serde, and so is what is damaged, to say how.

use crate::DecodeError;
use memchr::memchr2;
use serde::de::Error;
use serde::{Deserialize, Deserializer, de};
use serde_json::value::RawValue;
use spool_domain::ids::StreamId;
use spool_domain::time::Timestamp;
use std::str::FromStr;

/// A commit, borrowing from the record. `E` is made of the outline of each event.
#[derive(Clone, Debug, PartialEq)]
pub struct Outline<'a, E = EventOutline<'a>> {
    /// As in [`Commit`](crate::Commit).
    pub stream: StreamId,
    /// The stream's version after the first of the events.
    pub version: u64,
    /// As in [`Commit`](crate::Commit).
    pub time: Timestamp,
    /// JSON.
    pub actor: &'a str,
    /// JSON.
    pub cause: &'a str,
    /// In order.
    pub events: Vec<E>,
}

/// An event, borrowing from the record.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct EventOutline<'a> {
    /// The type, by its outside name.
    pub name: &'a str,
    /// The version it was written in.
    pub version: u16,
    /// What happened, as JSON. Whether it is any is known when it is decoded.
    pub data: &'a str,
}

impl<'a, E: From<EventOutline<'a>>> Outline<'a, E> {
    /// Reads a record. Errors: `Commit`.
    pub fn decode(record: &'a [u8]) -> Result<Self, DecodeError> {
        // Checked once for all texts in it, which is faster than each on its own.
        let text = std::str::from_utf8(record)
            .map_err(|error| DecodeError::Commit(serde_json::Error::custom(error)))?;
        match as_written(text) {
            Some(outline) => Ok(outline),
            None => Self::by_serde(text),
        }
    }

    fn by_serde(text: &'a str) -> Result<Self, DecodeError> {
        let parsed: Parsed<'a> = serde_json::from_str(text).map_err(DecodeError::Commit)?;
        let outlines = parsed.events.into_iter().map(|event| EventOutline {
            name: event.name,
            version: event.version,
            data: event.data.get(),
        });
        Ok(Self {
            stream: parsed.stream,
            version: parsed.version,
            time: parsed.time,
            actor: parsed.actor.get(),
            cause: parsed.cause.get(),
            events: outlines.map(E::from).collect(),
        })
    }
}

#[derive(Deserialize)]
struct Parsed<'a> {
    #[serde(deserialize_with = "stream")]
    stream: StreamId,
    version: u64,
    time: Timestamp,
    #[serde(borrow)]
    actor: &'a RawValue,
    #[serde(borrow)]
    cause: &'a RawValue,
    #[serde(borrow)]
    events: Vec<crate::EventRef<'a>>,
}

/// Borrows the text; the domain's own form has to take escapes into account and allocates.
fn stream<'de, D: Deserializer<'de>>(deserializer: D) -> Result<StreamId, D::Error> {
    <&'de str>::deserialize(deserializer)?
        .parse()
        .map_err(de::Error::custom)
}

/// Nothing when the text is not as it is written today.
fn as_written<'a, E: From<EventOutline<'a>>>(text: &'a str) -> Option<Outline<'a, E>> {
    let mut rest = Rest(text);
    rest.skip("{\"stream\":\"")?;
    let stream = rest.text()?.parse().ok()?;
    rest.skip(",\"version\":")?;
    let version = rest.number()?;
    rest.skip(",\"command\":\"")?;
    rest.text()?;
    if rest.skip(",\"request\":\"").is_some() {
        rest.text()?;
    }
    rest.skip(",\"time\":\"")?;
    let time = rest.text()?.parse().ok()?;
    rest.skip(",\"actor\":")?;
    let actor = rest.value()?;
    rest.skip(",\"cause\":")?;
    let cause = rest.value()?;
    rest.skip(",\"events\":[")?;
    let mut events = Vec::with_capacity(1);
    if rest.skip("]}").is_none() {
        loop {
            events.push(rest.event()?.into());
            if rest.skip(",").is_none() {
                break;
            }
        }
        rest.skip("]}")?;
    }
    rest.0.is_empty().then_some(Outline {
        stream,
        version,
        time,
        actor,
        cause,
        events,
    })
}

/// What was not read yet.
struct Rest<'a>(&'a str);

impl<'a> Rest<'a> {
    fn skip(&mut self, expected: &str) -> Option<()> {
        self.0 = self.0.strip_prefix(expected)?;
        Some(())
    }

    fn event(&mut self) -> Option<EventOutline<'a>> {
        self.skip("{\"type\":\"")?;
        let name = self.text()?;
        self.skip(",\"v\":")?;
        let version = self.number()?;
        self.skip(",\"data\":")?;
        let data = self.value()?;
        self.skip("}")?;
        Some(EventOutline { name, version, data })
    }

    /// Up to the quote that ends it, which is skipped. One with escapes is left to serde.
    fn text(&mut self) -> Option<&'a str> {
        let end = memchr2(b'"', b'\\', self.0.as_bytes())?;
        let text = self.take(end)?;
        self.skip("\"")?;
        Some(text)
    }

    /// Digits as JSON has them: no sign, and no zero before others.
    fn number<N: FromStr>(&mut self) -> Option<N> {
        let digits = self.0.bytes().take_while(u8::is_ascii_digit).count();
        let number = self.take(digits)?;
        let is_plain = number.len() == 1 || !number.starts_with('0');
        is_plain.then(|| number.parse().ok())?
    }

    /// An object, a list or a text, to its end; a number or a word ends with what surrounds it.
    fn value(&mut self) -> Option<&'a str> {
        let bytes = self.0.as_bytes();
        let (mut depth, mut at) = (0usize, 0);
        loop {
            match bytes.get(at)? {
                b'"' => at = end_of_text(bytes, at + 1)?,
                b'{' | b'[' => {
                    depth += 1;
                    at += 1;
                    continue;
                }
                b'}' | b']' => {
                    depth = depth.checked_sub(1)?;
                    at += 1;
                }
                _ if depth == 0 => {
                    let ends = |byte: &u8| matches!(byte, b',' | b'}' | b']');
                    at += bytes[at..].iter().position(ends).filter(|length| *length > 0)?;
                }
                _ => {
                    at += 1;
                    continue;
                }
            }
            if depth == 0 {
                return self.take(at);
            }
        }
    }

    fn take(&mut self, length: usize) -> Option<&'a str> {
        let (taken, rest) = self.0.split_at_checked(length)?;
        self.0 = rest;
        Some(taken)
    }
}

/// Behind the quote that ends the text which goes on at `at`.
fn end_of_text(bytes: &[u8], mut at: usize) -> Option<usize> {
    loop {
        at += memchr2(b'"', b'\\', bytes.get(at..)?)?;
        match bytes[at] {
            b'"' => return Some(at + 1),
            _ => at += 2,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const RECORD: &str = r#"{"stream":"videos-00000000-0000-0000-0000-000000000007","version":3,"command":"00000000-0000-0000-0000-000000000001","time":"2026-11-27T00:00:00.000Z","actor":"system","cause":{"correlation":"00000000-0000-0000-0000-000000000001"},"events":[{"type":"A","v":1,"data":{"title":"a \"}] b\\","list":[1,{"x":null}]}},{"type":"B","v":2,"data":null}]}"#;

    fn quick(text: &str) -> Option<Outline<'_>> {
        as_written(text)
    }

    #[test]
    fn what_is_written_today_is_read_without_serde_and_to_the_same() {
        let outline = quick(RECORD).expect("it is as it is written");
        assert_eq!(
            outline.events[0].data,
            r#"{"title":"a \"}] b\\","list":[1,{"x":null}]}"#
        );
        assert_eq!(outline.events[1].data, "null");
        assert_eq!(outline, Outline::by_serde(RECORD).expect("it is JSON"));
    }

    #[test]
    fn anything_else_is_left_to_serde() {
        let with_spaces = RECORD.replace("\"version\":3", "\"version\": 3");
        let with_escape = RECORD.replace("\"type\":\"B\"", r#""type":"\u0042""#);
        let with_zero = RECORD.replace("\"version\":3", "\"version\":03");
        let cut = &RECORD[..RECORD.len() - 1];
        let too_long = format!("{RECORD} ");
        for text in [&*with_spaces, &with_escape, &with_zero, cut, &too_long] {
            assert_eq!(quick(text), None, "{text}");
        }
        let read = Outline::<EventOutline<'_>>::decode(with_spaces.as_bytes()).expect("it is JSON");
        assert_eq!(Some(read), quick(RECORD));
        Outline::<EventOutline<'_>>::decode(cut.as_bytes()).expect_err("it is cut off");
    }

    #[test]
    fn wherever_it_is_cut_off_it_is_no_record() {
        for end in 0..RECORD.len() {
            assert_eq!(quick(&RECORD[..end]), None);
        }
    }
}

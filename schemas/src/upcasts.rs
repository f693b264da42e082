//! Upcasts: how an event written in an older version reads today. Each step goes one version up.

use crate::DecodeError;
use serde_json::Value;
use serde_json::value::RawValue;

/// One step: rewrites the `data` of version `from` into that of `from + 1`, and says why it was needed.
pub struct Upcast {
    /// The type, by its outside name.
    pub name: &'static str,
    /// The version it reads.
    pub from: u16,
    /// Why the old one was not enough.
    pub reason: &'static str,
    /// Rewrites the data.
    pub step: fn(Value) -> Value,
}

/// Append-only: what was written once is read for ever.
pub const UPCASTS: &[Upcast] = &[Upcast {
    name: "SessionEnded",
    from: 1,
    reason: "sessions end for more reasons: from another session, by a new password, with the account",
    step: |data| data,
}];

/// Takes `data` one version further.
pub fn upcast(name: &str, version: u16, data: &str) -> Result<(u16, Box<RawValue>), DecodeError> {
    upcast_by(UPCASTS, name, version, data)
}

fn upcast_by(
    upcasts: &[Upcast],
    name: &str,
    version: u16,
    data: &str,
) -> Result<(u16, Box<RawValue>), DecodeError> {
    let step = upcasts
        .iter()
        .find(|upcast| upcast.name == name && upcast.from == version)
        .ok_or_else(|| DecodeError::Unknown {
            name: name.to_owned(),
            version,
        })?;
    let wrong = |source| DecodeError::Event {
        name: name.to_owned(),
        version,
        source,
    };
    let old: Value = serde_json::from_str(data).map_err(wrong)?;
    let new = serde_json::value::to_raw_value(&(step.step)(old)).map_err(wrong)?;
    Ok((version + 1, new))
}

#[cfg(test)]
mod tests {
    use super::*;

    const EXAMPLE: &[Upcast] = &[Upcast {
        name: "FilmNamed",
        from: 1,
        reason: "titles became objects with a language",
        step: |mut data| {
            data["title"] = serde_json::json!({"text": data["title"], "language": "und"});
            data
        },
    }];

    #[test]
    fn an_old_event_reads_in_the_next_version() {
        let old = r#"{"title":"Sintel"}"#;
        let (version, data) = upcast_by(EXAMPLE, "FilmNamed", 1, old).expect("there is a step");
        assert_eq!(
            (version, data.get()),
            (2, r#"{"title":{"language":"und","text":"Sintel"}}"#)
        );
    }

    #[test]
    fn an_unknown_event_is_refused_by_name() {
        let error = upcast_by(EXAMPLE, "FilmNamed", 2, "{}").expect_err("no such step");
        assert!(error.to_string().contains("FilmNamed version 2"), "{error}");
    }
}

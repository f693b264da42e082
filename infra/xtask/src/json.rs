//! Finds single values in JSON that our own programs wrote: first use of a name wins, nesting is not followed.

/// The value of the first `"name":` in the text: the text of a string, or a number, boolean or null as written.
pub fn field(text: &str, name: &str) -> Option<String> {
    let key = format!("\"{name}\"");
    let mut rest = text;
    loop {
        rest = &rest[rest.find(&key)? + key.len()..];
        let Some(value) = rest.trim_start().strip_prefix(':') else {
            continue; // The word was a value here, not a name.
        };
        return read_value(value.trim_start());
    }
}

fn read_value(text: &str) -> Option<String> {
    match text.strip_prefix('"') {
        Some(inner) => read_string(inner),
        None => {
            let end = text.find([',', '}', ']', '\n', ' ']).unwrap_or(text.len());
            Some(text[..end].to_owned())
        }
    }
}

fn read_string(inner: &str) -> Option<String> {
    let mut value = String::new();
    let mut letters = inner.chars();
    loop {
        match letters.next()? {
            '"' => return Some(value),
            '\\' => value.push(match letters.next()? {
                'n' => '\n',
                't' => '\t',
                'u' => {
                    let digits: String = letters.by_ref().take(4).collect();
                    char::from_u32(u32::from_str_radix(&digits, 16).ok()?).unwrap_or('\u{fffd}')
                }
                other => other,
            }),
            letter => value.push(letter),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn strings_numbers_and_null_are_found() {
        let text = r#"{"bench":"append","callers": 16,"value":0.93,"url":null,"note":"a \"b\"\n\u0041"}"#;
        assert_eq!(field(text, "bench").as_deref(), Some("append"));
        assert_eq!(field(text, "callers").as_deref(), Some("16"));
        assert_eq!(field(text, "value").as_deref(), Some("0.93"));
        assert_eq!(field(text, "url").as_deref(), Some("null"));
        assert_eq!(field(text, "note").as_deref(), Some("a \"b\"\nA"));
        assert_eq!(field(text, "absent"), None);
    }

    #[test]
    fn a_name_used_as_a_value_is_passed_over() {
        assert_eq!(field(r#"{"a":"id","id":"x"}"#, "id").as_deref(), Some("x"));
    }
}

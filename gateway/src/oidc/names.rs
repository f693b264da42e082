//! What somebody is called here who has registered by a provider: as there, as far as that may be.

use super::providers::Told;
use crate::accounts::registration::{NAME_MAX_CHARS, USERNAME_CHARS};
use crate::people::Personal;
use spool_domain::text::check_line;

/// The personal data of a new account. The username may still be somebody else's.
pub fn personal(told: &Told) -> Personal {
    let email = told.email.clone().unwrap_or_default();
    let before_at = email.split('@').next().unwrap_or_default();
    let whole = told.name.as_deref().unwrap_or_default();
    let (first, last) = whole.split_once(' ').unwrap_or((whole, ""));
    let username = [
        told.username.as_deref(),
        Some(before_at),
        told.first_name.as_deref(),
    ];
    let username = username.into_iter().flatten().find_map(username_like);
    let username = username.unwrap_or_else(|| "user".to_owned());
    let first = line(told.first_name.as_deref().unwrap_or(first));
    Personal {
        first_name: if first.is_empty() { username.clone() } else { first },
        last_name: line(told.last_name.as_deref().unwrap_or(last)),
        email,
        username,
    }
}

/// The name with a number after it, within the length that names have.
pub fn numbered(username: &str, number: &str) -> String {
    let room = USERNAME_CHARS.end() - number.len() - 1;
    let kept: String = username.chars().take(room).collect();
    format!("{kept}-{number}")
}

/// Letters that may be in a username, if there are enough of them. Accents and other scripts are left out rather than guessed.
fn username_like(text: &str) -> Option<String> {
    let text = text.split('@').next().unwrap_or_default().trim();
    let allowed = |letter: &char| letter.is_ascii_alphanumeric() || matches!(letter, '.' | '-' | '_');
    let joined = text.split_whitespace().collect::<Vec<_>>().join("-");
    let name: String = joined
        .chars()
        .filter(allowed)
        .take(*USERNAME_CHARS.end())
        .collect();
    USERNAME_CHARS.contains(&name.len()).then_some(name)
}

/// The text if it may be a name, as far as it fits.
fn line(text: &str) -> String {
    let fits: String = text.trim().chars().take(NAME_MAX_CHARS).collect();
    check_line(&fits, NAME_MAX_CHARS).map_or_else(|_| String::new(), |()| fits)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(told: [Option<&str>; 5], expected: [&str; 3]) {
        let [username, name, first_name, last_name, email] = told.map(|text| text.map(str::to_owned));
        let told = Told {
            username,
            name,
            first_name,
            last_name,
            email,
            ..Told::default()
        };
        let personal = personal(&told);
        let names = [personal.username, personal.first_name, personal.last_name];
        assert_eq!(names, expected);
    }

    #[test]
    fn people_are_called_as_the_provider_calls_them() {
        let email = Some("ada@example.org");
        check(
            [
                Some("countess"),
                Some("Ada Lovelace"),
                Some("Augusta"),
                Some("King"),
                email,
            ],
            ["countess", "Augusta", "King"],
        );
        check(
            [None, Some("Ada King Lovelace"), None, None, email],
            ["ada", "Ada", "King Lovelace"],
        );
        check(
            [Some("ada lovelace@work"), None, None, None, email],
            ["ada-lovelace", "ada-lovelace", ""],
        );
        check(
            [Some("艾达"), Some("艾达"), None, None, Some("a@b")],
            ["user", "艾达", ""],
        );
        check(
            [Some("x\u{202E}"), Some("\u{202E}evil"), None, None, email],
            ["ada", "ada", ""],
        );
        check(
            [Some(&"long".repeat(20)), None, None, None, email],
            [&"long".repeat(20)[..30], &"long".repeat(20)[..30], ""],
        );
    }

    #[test]
    fn a_number_fits_after_the_longest_name() {
        assert_eq!(numbered("ada", "2"), "ada-2");
        let longest = "x".repeat(30);
        assert_eq!(
            numbered(&longest, "0123456789"),
            format!("{}-0123456789", "x".repeat(19))
        );
    }
}

//! What a registration says, and whether an account may be called so.

use crate::people::Personal;
use crate::problem::{FieldError, Problem};
use serde::Deserialize;
use spool_domain::text::check_line;
use utoipa::ToSchema;

pub const NAME_MAX_CHARS: usize = 100;
pub const EMAIL_MAX_CHARS: usize = 254;
pub const PASSWORD_CHARS: std::ops::RangeInclusive<usize> = 8..=200;
pub const USERNAME_CHARS: std::ops::RangeInclusive<usize> = 3..=30;

#[derive(Deserialize, ToSchema)]
pub struct Registration {
    #[schema(example = "ada@example.org")]
    email: String,
    /// 8 to 200 characters.
    #[schema(example = "correct horse battery staple")]
    password: String,
    #[schema(example = "Ada")]
    first_name: String,
    #[schema(example = "Lovelace")]
    last_name: String,
    /// 3 to 30 letters, digits, dots, dashes or underscores.
    #[schema(example = "ada")]
    username: String,
}

/// A registration whose values may be kept.
pub struct Checked {
    pub personal: Personal,
    pub password: String,
}

impl Registration {
    /// Says all that is wrong at once.
    pub fn checked(self) -> Result<Checked, Problem> {
        let trimmed = |text: String| text.trim().to_owned();
        let personal = Personal {
            email: trimmed(self.email),
            username: trimmed(self.username),
            first_name: trimmed(self.first_name),
            last_name: trimmed(self.last_name),
        };
        let checks = [
            ("/email", check_email(&personal.email)),
            ("/password", check_password(&self.password)),
            ("/first_name", check_line(&personal.first_name, NAME_MAX_CHARS)),
            ("/last_name", check_line(&personal.last_name, NAME_MAX_CHARS)),
            ("/username", check_username(&personal.username)),
        ];
        let error = |(pointer, checked): (&str, Result<(), String>)| {
            let detail = checked.err()?;
            Some(FieldError {
                pointer: pointer.to_owned(),
                detail,
            })
        };
        let errors: Vec<FieldError> = checks.into_iter().filter_map(error).collect();
        if errors.is_empty() {
            Ok(Checked {
                personal,
                password: self.password,
            })
        } else {
            Err(Problem::all_invalid(errors))
        }
    }
}

/// What is to be called otherwise. What is left out stays.
#[derive(Default, Deserialize, ToSchema)]
#[serde(default, deny_unknown_fields)]
pub(crate) struct ProfileChange {
    #[schema(example = "ada@example.org")]
    email: Option<String>,
    #[schema(example = "Ada")]
    first_name: Option<String>,
    #[schema(example = "Lovelace")]
    last_name: Option<String>,
    /// 3 to 30 letters, digits, dots, dashes or underscores.
    #[schema(example = "ada")]
    username: Option<String>,
    /// Needed for another e-mail address.
    #[schema(example = "correct horse battery staple")]
    pub(super) current_password: Option<String>,
}

impl ProfileChange {
    /// What is known of the person after the change. Says all that is wrong at once.
    pub(super) fn on(&self, before: Personal) -> Result<Personal, Problem> {
        let or = |given: &Option<String>, before: String| {
            given.as_deref().map_or(before, |given| given.trim().to_owned())
        };
        let after = Personal {
            email: or(&self.email, before.email.clone()),
            username: or(&self.username, before.username.clone()),
            first_name: or(&self.first_name, before.first_name.clone()),
            last_name: or(&self.last_name, before.last_name.clone()),
        };
        let checks = [
            ("/email", after.email != before.email, check_email(&after.email)),
            (
                "/username",
                after.username != before.username,
                check_username(&after.username),
            ),
            ("/first_name", true, check_line(&after.first_name, NAME_MAX_CHARS)),
            ("/last_name", true, check_line(&after.last_name, NAME_MAX_CHARS)),
        ];
        let error = |(pointer, changes, checked): (&str, bool, Result<(), String>)| {
            let detail = checked.err().filter(|_| changes)?;
            Some(FieldError {
                pointer: pointer.to_owned(),
                detail,
            })
        };
        let errors: Vec<FieldError> = checks.into_iter().filter_map(error).collect();
        if errors.is_empty() {
            Ok(after)
        } else {
            Err(Problem::all_invalid(errors))
        }
    }
}

/// Only the shape: whether somebody reads it, a message will tell.
pub fn check_email(email: &str) -> Result<(), String> {
    check_line(email, EMAIL_MAX_CHARS)?;
    let wrong = || Err("must be an e-mail address, such as ada@example.org".to_owned());
    let Some((name, domain)) = email.rsplit_once('@') else {
        return wrong();
    };
    let odd = |letter: char| {
        letter.is_whitespace() || matches!(letter, '@' | '<' | '>' | ',' | ';' | '"' | '(' | ')' | '\\')
    };
    let labels = domain
        .split('.')
        .all(|label| !label.is_empty() && label.chars().all(|c| c.is_alphanumeric() || c == '-'));
    if name.is_empty() || name.len() > 64 || name.contains(odd) || !labels {
        return wrong();
    }
    Ok(())
}

pub(super) fn check_password(password: &str) -> Result<(), String> {
    let length = password.chars().count();
    if PASSWORD_CHARS.contains(&length) {
        return Ok(());
    }
    Err(format!(
        "must be {} to {} characters long",
        PASSWORD_CHARS.start(),
        PASSWORD_CHARS.end()
    ))
}

fn check_username(username: &str) -> Result<(), String> {
    let allowed = |letter: char| letter.is_ascii_alphanumeric() || matches!(letter, '.' | '-' | '_');
    if USERNAME_CHARS.contains(&username.chars().count()) && username.chars().all(allowed) {
        return Ok(());
    }
    Err("must be 3 to 30 letters (a to z), digits, dots, dashes or underscores".to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_are_known_by_their_shape() {
        for good in ["ada@example.org", "a.b+c@localhost", "josé@exämple.de"] {
            assert_eq!(check_email(good), Ok(()), "{good}");
        }
        for bad in [
            "",
            "ada",
            "@example.org",
            "a@",
            "a b@example.org",
            "a@b@c",
            "a@b..c",
            "<a@b.c>",
            "a\0@b.c",
        ] {
            assert!(check_email(bad).is_err(), "{bad:?}");
        }
    }
}

//! What the mails say, as text and as HTML. Nothing in them was written by whoever asked for them, so nobody can have us send
//! their own words to others.

use lettre::message::header::{ContentTransferEncoding, ContentType};
use lettre::message::{Body, MultiPart, SinglePart};
use spool_domain::time::Timestamp;

const LINE_MAX_BYTES: usize = 998;

/// A mail about one link.
pub struct Wording {
    pub subject: &'static str,
    before: String,
    link: String,
    after: String,
}

impl Wording {
    pub fn of_reset(base_url: &str, link: String, expires_at: Timestamp) -> Self {
        Self {
            subject: "Choose a new password",
            before: format!(
                "Somebody asked for a new password for your account at {base_url}. If it was you, choose it here:"
            ),
            link,
            after: format!(
                "The link is good once, until {}, and only if you do not ask for another one. If it was not you, do nothing: \
                 your password stays as it is.",
                minute(expires_at)
            ),
        }
    }

    pub fn of_confirmation(base_url: &str, link: String) -> Self {
        Self {
            subject: "Confirm your e-mail address",
            before: format!(
                "An account at {base_url} has this e-mail address. If it is yours, confirm the address here:"
            ),
            link,
            after: "If you know nothing of such an account, do nothing.".to_owned(),
        }
    }

    pub fn body(&self) -> MultiPart {
        let (before, link, after) = (&self.before, &self.link, &self.after);
        let text = format!("Hello,\r\n\r\n{before}\r\n\r\n{link}\r\n\r\n{after}\r\n");
        let [before, link, after] = [before, link, after].map(|text| escaped(text));
        let html = format!(
            "<!doctype html>\r\n<html lang=\"en\">\r\n<body>\r\n<p>Hello,</p>\r\n<p>{before}</p>\r\n\
             <p><a href=\"{link}\">{link}</a></p>\r\n<p>{after}</p>\r\n</body>\r\n</html>\r\n"
        );
        MultiPart::alternative()
            .singlepart(part(ContentType::TEXT_PLAIN, text))
            .singlepart(part(ContentType::TEXT_HTML, html))
    }
}

/// As it is where that is allowed, so that people can read it in a file too: a link is longer than the 76 characters from which on
/// lines are broken otherwise.
fn part(content_type: ContentType, text: String) -> SinglePart {
    let is_plain = text.is_ascii() && text.lines().all(|line| line.len() <= LINE_MAX_BYTES);
    let body = match is_plain {
        true => Body::dangerous_pre_encoded(text.into_bytes(), ContentTransferEncoding::SevenBit),
        false => Body::new(text),
    };
    SinglePart::builder().header(content_type).body(body)
}

/// Such as `2026-11-21 08:00 UTC`.
fn minute(time: Timestamp) -> String {
    let text = time.to_string();
    let minute = text.get(..16).unwrap_or(&text);
    format!("{} UTC", minute.replace('T', " "))
}

fn escaped(text: &str) -> String {
    text.replace('&', "&amp;")
        .replace('<', "&lt;")
        .replace('>', "&gt;")
        .replace('"', "&quot;")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_mail_can_be_read_as_it_is() {
        let link = format!("https://films.example/reset-password#token={}", "a".repeat(90));
        let expires_at = Timestamp::from_millis(1_795_251_600_000);
        let wording = Wording::of_reset("https://films.example", link.clone(), expires_at);
        let body = String::from_utf8(wording.body().formatted()).expect("it is text");
        assert!(body.contains(&format!("\r\n\r\n{link}\r\n")), "{body}");
        assert!(body.contains(&format!("<a href=\"{link}\">")), "{body}");
        assert!(body.contains("until 2026-11-21 09:00 UTC"), "{body}");
    }

    #[test]
    fn an_address_that_is_not_ascii_is_encoded_and_none_becomes_markup() {
        let link = "https://films.exämple/\"><b>#token=a".to_owned();
        let body = String::from_utf8(
            Wording::of_confirmation("https://films.exämple", link)
                .body()
                .formatted(),
        );
        let body = body.expect("it is text");
        assert!(body.is_ascii() && body.contains("ex=C3=A4mple"), "{body}");
        let (_, html) = body.split_once("<!doctype html>").expect("a part in HTML");
        assert!(!html.contains("<b>"), "{body}");
    }
}

//! The mail server shows what it was given, also after a kill, and refuses whom it is to refuse.

use std::io::{BufRead, BufReader, Write};
use std::net::TcpStream;

use spool_services::Mail;

/// Says each line and returns the numbers that the server answers with, its greeting first.
fn talk(mail: &Mail, lines: &[&str]) -> Vec<String> {
    let address = mail.url().replace("smtp://", "");
    let stream = TcpStream::connect(address).expect("it listens");
    let mut answers = BufReader::new(stream.try_clone().expect("a handle can be doubled")).lines();
    let mut answer = || {
        let last = answers.find(|line| {
            line.as_ref()
                .is_ok_and(|line| line.as_bytes().get(3) == Some(&b' '))
        });
        last.expect("it answers").expect("it is text")[..3].to_owned()
    };
    let mut numbers = vec![answer()];
    for line in lines {
        (&stream)
            .write_all(format!("{line}\r\n").as_bytes())
            .expect("it reads");
        numbers.push(answer());
    }
    numbers
}

#[test]
fn a_mail_is_there_after_a_kill_and_some_addresses_are_refused() {
    let mut mail = Mail::start().expect("a mail server starts");
    assert!(mail.taken().expect("readable").is_empty());
    let words = [
        "EHLO test",
        "MAIL FROM:<a@example.org>",
        "RCPT TO:<never@example.org>",
        "RCPT TO:<later@example.org>",
        "RCPT TO:<later@example.org>",
        "DATA",
        "Subject: one\r\n\r\nbody\r\n.",
    ];
    assert_eq!(
        talk(&mail, &words),
        ["220", "250", "250", "550", "451", "250", "354", "250"]
    );
    mail.kill().expect("it was running");
    mail.restart().expect("it comes back");
    let words = [
        "EHLO test",
        "MAIL FROM:<a@example.org>",
        "RCPT TO:<b@example.org>",
        "DATA",
        "two\r\n.",
    ];
    assert_eq!(talk(&mail, &words), ["220", "250", "250", "250", "354", "250"]);
    let taken = mail.taken().expect("readable");
    assert!(
        taken[0].starts_with("Envelope-To: later@example.org\r\nSubject: one\r\n"),
        "{taken:?}"
    );
    assert!(
        taken[1].starts_with("Envelope-To: b@example.org\r\n"),
        "{taken:?}"
    );
    assert_eq!(taken.len(), 2);
}

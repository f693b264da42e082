//! A person with an account on the demo server.

use std::fs;
use std::io::Read;
use std::net::SocketAddr;
use std::path::Path;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail};

use crate::http::{self, Answer};
use crate::json;

const PLAYABLE_WITHIN: Duration = Duration::from_secs(120);

pub struct Visitor {
    server: SocketAddr,
    token: String,
    pub email: String,
    pub password: String,
}

impl Visitor {
    /// Signs in with the account an earlier demo left beside its data, or signs up a new one.
    pub fn sign_in_or_up(server: SocketAddr, data: &Path) -> Result<Self> {
        let note = data.join("demo-account");
        let kept = fs::read_to_string(&note).unwrap_or_default();
        if let Some((email, password)) = kept.trim().split_once(' ') {
            let body = format!("{{\"email\":\"{email}\",\"password\":\"{password}\"}}");
            let answer = http::send(server, "POST", "/api/auth/login", None, Some(&body))?;
            if answer.status == 200 {
                return Self::from_answer(server, &answer, email, password);
            }
        }
        let visitor = Self::sign_up(server)?;
        fs::write(&note, format!("{} {}\n", visitor.email, visitor.password))?;
        Ok(visitor)
    }

    fn sign_up(server: SocketAddr) -> Result<Self> {
        let name = format!("demo-{}", random_hex(3)?);
        let (email, password) = (format!("{name}@example.org"), random_hex(12)?);
        let body = format!(
            "{{\"email\":\"{email}\",\"password\":\"{password}\",\"first_name\":\"Demo\",\"last_name\":\"Visitor\",\
             \"username\":\"{name}\"}}"
        );
        let answer = http::send(server, "POST", "/api/auth/register", None, Some(&body))?;
        if answer.status != 201 {
            bail!("signing up was refused with {}: {}", answer.status, answer.body);
        }
        Self::from_answer(server, &answer, &email, &password)
    }

    fn from_answer(server: SocketAddr, answer: &Answer, email: &str, password: &str) -> Result<Self> {
        let token =
            json::field(&answer.body, "access_token").context("the answer carries no access_token")?;
        Ok(Self {
            server,
            token,
            email: email.to_owned(),
            password: password.to_owned(),
        })
    }

    /// The id of the film this person uploaded last, if any.
    pub fn newest_film(&self) -> Result<Option<String>> {
        let answer = self.get("/api/videos?owner=me&limit=1")?;
        let has_one = answer.status == 200 && answer.body.contains("\"hls_url\"");
        Ok(if has_one {
            json::field(&answer.body, "id")
        } else {
            None
        })
    }

    pub fn wait_until_playable(&self, film: &str) -> Result<()> {
        let started = Instant::now();
        loop {
            let answer = self.get(&format!("/api/videos/{film}"))?;
            let playable = json::field(&answer.body, "hls_url").is_some_and(|url| url != "null");
            if answer.status == 200 && playable {
                return Ok(());
            }
            if json::field(&answer.body, "status").as_deref() == Some("failed") {
                bail!("the film could not be processed: {}", answer.body);
            }
            if started.elapsed() > PLAYABLE_WITHIN {
                bail!(
                    "the film was not playable within {} s: {}",
                    PLAYABLE_WITHIN.as_secs(),
                    answer.body
                );
            }
            std::thread::sleep(Duration::from_millis(100));
        }
    }

    fn get(&self, path: &str) -> Result<Answer> {
        http::send(self.server, "GET", path, Some(&self.token), None)
    }
}

fn random_hex(bytes: usize) -> Result<String> {
    let mut buffer = vec![0; bytes];
    fs::File::open("/dev/urandom")?.read_exact(&mut buffer)?;
    Ok(buffer.iter().map(|byte| format!("{byte:02x}")).collect())
}

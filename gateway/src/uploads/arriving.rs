//! Reads the form part by part, checks each as it comes, and streams the film to a temporary place.

use crate::asking::Asking;
use crate::gateway::Gateway;
use crate::problem::{Kind, Problem};
use axum::extract::Multipart;
use axum::extract::multipart::{Field, MultipartError};
use bytes::BytesMut;
use spool_blobs::{BlobWriter, Durability};
use spool_commands::{Ask, ids};
use spool_domain::ids::VideoId;
use spool_domain::text::{DESCRIPTION_MAX_CHARS, TITLE_MAX_CHARS, check_file_name, check_line, check_lines};
use spool_domain::videos::{Described, Visibility};
use spool_media_protocol::sniff::{SNIFF_BYTES, sniff};
use spool_media_protocol::{Container, RefusalCode};
use std::time::Duration;
use uuid::Uuid;

const PARTS_MAX: usize = 32;
/// The most that a part may have that is not known here.
const UNKNOWN_MAX_BYTES: usize = 64 * 1024;
/// A client that sends nothing for so long has gone.
const SILENCE: Duration = Duration::from_secs(60);

/// A form on its way in. Dropped early, it leaves nothing behind.
pub struct Arriving {
    gateway: Gateway,
    ask: Ask,
    video: VideoId,
    title: Option<String>,
    description: Option<String>,
    visibility: Option<Visibility>,
    film: Option<Film>,
}

/// The file, written to a temporary place.
pub struct Film {
    pub writer: BlobWriter,
    pub name: String,
    pub container: Container,
}

/// A whole form, checked. The film is still in its temporary place.
pub struct Arrived {
    pub ask: Ask,
    pub video: VideoId,
    pub description: Described,
    pub film: Film,
}

impl Arriving {
    pub fn new(gateway: Gateway, asking: &Asking) -> Self {
        let ask = asking.ask(&gateway, "upload-video", &[]);
        let video = VideoId(ids::created_by(ask.command, "video"));
        Self {
            gateway,
            ask,
            video,
            title: None,
            description: None,
            visibility: None,
            film: None,
        }
    }

    pub async fn receive(mut self, mut form: Multipart) -> Result<Arrived, Problem> {
        let mut parts = 0;
        while let Some(part) = in_time(form.next_field()).await? {
            parts += 1;
            if parts > PARTS_MAX {
                return Err(Problem::new(
                    Kind::TooLarge,
                    format!("the form has more than {PARTS_MAX} parts"),
                ));
            }
            self.take(part).await?;
        }
        let missing = |name: &str| Problem::invalid(format!("/{name}"), "must be given");
        let title = self.title.ok_or_else(|| missing("title"))?;
        let film = self.film.ok_or_else(|| missing("file"))?;
        let description = Described {
            title,
            description: self.description.unwrap_or_default(),
            visibility: self.visibility.unwrap_or_default(),
        };
        Ok(Arrived {
            ask: self.ask,
            video: self.video,
            description,
            film,
        })
    }

    /// Takes one part; a mistake in it is told before the next is read.
    async fn take(&mut self, part: Field<'_>) -> Result<(), Problem> {
        let name = part.name().unwrap_or_default().to_owned();
        match name.as_str() {
            "title" => {
                let title = text(part, "title", TITLE_MAX_CHARS).await?.trim().to_owned();
                check_line(&title, TITLE_MAX_CHARS)
                    .map_err(|complaint| Problem::invalid("/title", complaint))?;
                once(&mut self.title, title, "title")
            }
            "description" => {
                let lines = text(part, "description", DESCRIPTION_MAX_CHARS).await?;
                let checked = check_lines(&lines, DESCRIPTION_MAX_CHARS);
                checked.map_err(|complaint| Problem::invalid("/description", complaint))?;
                once(&mut self.description, lines, "description")
            }
            "visibility" => {
                let word = text(part, "visibility", 16).await?;
                once(&mut self.visibility, visibility(word.trim())?, "visibility")
            }
            "file" => {
                let film = self.film(part).await?;
                once(&mut self.film, film, "file")
            }
            _ => ignore(part).await,
        }
    }

    async fn film(&self, mut part: Field<'_>) -> Result<Film, Problem> {
        let invalid = |complaint: String| Problem::invalid("/file", complaint);
        let name = part.file_name().unwrap_or_default().to_owned();
        check_file_name(&name).map_err(|complaint| invalid(format!("name {complaint}")))?;
        let max_bytes = self.gateway.parts().config.uploads.max_bytes;
        let mut start = BytesMut::new();
        let mut is_over = false;
        while start.len() < SNIFF_BYTES && !is_over {
            match in_time(part.chunk()).await? {
                Some(chunk) => start.extend_from_slice(&chunk),
                None => is_over = true,
            }
        }
        let container = sniff(&start).map_err(|refusal| match refusal.code {
            RefusalCode::Empty => invalid("must not be empty".to_owned()),
            _ => Problem::new(Kind::WrongType, refusal.sentence),
        })?;
        // A name of its own: a repeated request must not write over what the first one brought.
        let key = format!("originals/{}/{}", self.video, Uuid::now_v7());
        let mut writer = self
            .gateway
            .parts()
            .blobs
            .put_stream(&key, Durability::Durable)
            .await?;
        let mut next = Some(start.freeze());
        while let Some(chunk) = next {
            if writer.written() + chunk.len() as u64 > max_bytes {
                writer.abort().await;
                return Err(super::too_large(max_bytes));
            }
            writer.write(chunk).await?;
            next = match in_time(part.chunk()).await {
                Ok(chunk) => chunk,
                Err(problem) => {
                    writer.abort().await;
                    return Err(problem);
                }
            };
        }
        Ok(Film {
            writer,
            name,
            container,
        })
    }
}

/// Waits for the next piece of the body, not for ever.
async fn in_time<T>(piece: impl Future<Output = Result<T, MultipartError>>) -> Result<T, Problem> {
    match tokio::time::timeout(SILENCE, piece).await {
        Ok(Ok(piece)) => Ok(piece),
        Ok(Err(error)) => Err(unreadable(&error)),
        Err(_) => Err(Problem::new(Kind::TookTooLong, "nothing came for a minute")),
    }
}

/// Whatever is wrong with a form is the sender's: it broke off, or it is no form.
fn unreadable(error: &MultipartError) -> Problem {
    Problem::malformed("the form broke off before its end, or it is damaged").caused_by(error.body_text())
}

/// A short text. More bytes than `max_chars` could ever need are not even read.
async fn text(mut part: Field<'_>, name: &str, max_chars: usize) -> Result<String, Problem> {
    let mut bytes = Vec::new();
    while let Some(chunk) = in_time(part.chunk()).await? {
        if bytes.len() + chunk.len() > max_chars * 4 {
            let complaint = format!("must be at most {max_chars} characters long");
            return Err(Problem::invalid(format!("/{name}"), complaint));
        }
        bytes.extend_from_slice(&chunk);
    }
    String::from_utf8(bytes).map_err(|_| Problem::invalid(format!("/{name}"), "must be text in UTF-8"))
}

async fn ignore(mut part: Field<'_>) -> Result<(), Problem> {
    let mut left = UNKNOWN_MAX_BYTES;
    while let Some(chunk) = in_time(part.chunk()).await? {
        left = left
            .checked_sub(chunk.len())
            .ok_or_else(|| Problem::new(Kind::TooLarge, "a part that is not known here is too large"))?;
    }
    Ok(())
}

fn once<T>(place: &mut Option<T>, value: T, name: &str) -> Result<(), Problem> {
    match place.replace(value) {
        None => Ok(()),
        Some(_) => Err(Problem::invalid(format!("/{name}"), "must be given once only")),
    }
}

fn visibility(word: &str) -> Result<Visibility, Problem> {
    match word {
        "" | "public" => Ok(Visibility::Public),
        "unlisted" => Ok(Visibility::Unlisted),
        "private" => Ok(Visibility::Private),
        _ => Err(Problem::invalid(
            "/visibility",
            "must be public, unlisted or private",
        )),
    }
}

//! All that is kept about a person, as one ZIP archive that is read while it is written.
//!
//! A thread writes it, and waits for the reader: a few pieces of 64 KiB are in memory, however large it gets.

use super::opened::{opened_all, text_of};
use crate::asking::Asking;
use crate::body::{Id, Parameters};
use crate::gateway::Gateway;
use crate::problem::{Problem, ProblemBody};
use axum::body::Body;
use axum::extract::State;
use axum::http::{HeaderValue, header};
use axum::response::Response;
use bytes::Bytes;
use futures_util::stream::poll_fn;
use serde::Deserialize;
use serde_json::json;
use spool_domain::accounts::Active;
use spool_domain::ids::{AccountId, JobId};
use spool_domain::sealed::Sealed;
use spool_projections::catalogue::{List, Of, Video};
use spool_schemas::{CommitRef, Envelope};
use std::io::{self, BufWriter, Write};
use std::sync::Arc;
use std::time::Duration;
use tokio::runtime::Handle;
use tokio::sync::{OwnedSemaphorePermit, Semaphore, mpsc};
use utoipa::IntoParams;
use zip::write::{SimpleFileOptions, StreamWriter};
use zip::{CompressionMethod, ZipWriter};

const PIECE_BYTES: usize = 64 * 1024;
/// On their way to the reader.
const PIECES: usize = 4;
/// Each takes a thread for as long as its reader takes.
const AT_ONCE: usize = 8;
/// A reader that takes nothing for so long has gone.
const SILENCE: Duration = Duration::from_secs(60);
const STEP: usize = 100;

const README: &str = "All that is kept about you here.\n\n\
    profile.json      who you are, and how you sign in\n\
    avatar.jpg        your picture, if there is one\n\
    preferences.json  what you prefer\n\
    sessions.json     where you are signed in\n\
    api_keys.json     keys for programs, without their secrets\n\
    identities.json   who you are at other providers\n\
    videos.jsonl      your videos, one a line\n\
    jobs.jsonl        what was made of them, one a line\n\
    events.jsonl      everything that happened to your account, and everything you did, one fact a line, as it is in the log;\n\
    \x20                 what is sealed there is readable here (pictures in Base64), and hashes of secrets are left out\n\
    files/            the films as you uploaded them, if you asked for them\n";

#[derive(Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
pub(super) struct Exporting {
    /// `true`: with the films as they were uploaded.
    #[param(value_type = Option<bool>, example = false)]
    files: Option<String>,
}

/// All that is kept about a person, as a ZIP archive.
///
/// What is in it is in its `README.txt`. It is made while it is sent, so its length is not known before; an archive that breaks off is
/// incomplete and does not open.
#[utoipa::path(get, path = "/api/users/{id}/export", operation_id = "export_user", tag = "users", params(("id" = uuid::Uuid, Path), Exporting), responses(
    (status = 200, description = "The archive", body = Vec<u8>, content_type = "application/zip"),
    (status = 401, description = "Not signed in", body = ProblemBody, content_type = "application/problem+json"),
    (status = 403, description = "Somebody else's", body = ProblemBody, content_type = "application/problem+json"),
    (status = 404, description = "There is none", body = ProblemBody, content_type = "application/problem+json"),
    (status = 422, description = "Invalid parameters", body = ProblemBody, content_type = "application/problem+json"),
    (status = 503, description = "Too many are made at the moment", body = ProblemBody, content_type = "application/problem+json"),
))]
pub(super) async fn export(
    State(gateway): State<Gateway>,
    Id(id): Id,
    asking: Asking,
    Parameters(exporting): Parameters<Exporting>,
) -> Result<Response, Problem> {
    let account = AccountId(id);
    asking.caller.self_or_admin(account)?;
    let with_files = match exporting.files.as_deref() {
        None | Some("" | "false") => false,
        Some("true") => true,
        Some(_) => return Err(Problem::invalid("/files", "must be true or false")),
    };
    for view in ["accounts", "catalogue", "jobs", "audit"] {
        gateway.wait_for(view, asking.token()).await?;
    }
    let active = gateway.there(account).await?;
    let permit = gateway.exports().clone().try_acquire_owned();
    let permit = permit.map_err(|_| Problem::unavailable("many archives are made at the moment"))?;
    let (sender, mut receiver) = mpsc::channel(PIECES);
    let archive = Archive {
        gateway,
        account,
        zip: ZipWriter::new_stream(BufWriter::with_capacity(PIECE_BYTES, Sending(sender.clone()))),
        _permit: permit,
    };
    tokio::task::spawn_blocking(move || {
        if let Err(error) = archive.write(&active, with_files) {
            tracing::warn!(%account, %error, "an archive of a person's data was cut short");
            // Otherwise it would look whole. Who does not hear of it has gone.
            let telling = sender.send_timeout(Err(error), SILENCE);
            let _ = Handle::current().block_on(telling);
        }
    });
    let pieces = poll_fn(move |context| receiver.poll_recv(context));
    let mut response = Response::new(Body::from_stream(pieces));
    let headers = response.headers_mut();
    headers.insert(header::CONTENT_TYPE, HeaderValue::from_static("application/zip"));
    headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
    let disposition = format!("attachment; filename=\"spool-export-{id}.zip\"");
    let disposition = HeaderValue::try_from(disposition).expect("a UUID is visible ASCII");
    headers.insert(header::CONTENT_DISPOSITION, disposition);
    Ok(response)
}

fn unreadable(problem: Problem) -> io::Error {
    io::Error::other(format!("{problem:?}"))
}

/// How many archives may be made at once.
pub fn exports() -> Arc<Semaphore> {
    Arc::new(Semaphore::new(AT_ONCE))
}

/// The end of the channel that is written to, from a thread that may wait.
struct Sending(mpsc::Sender<io::Result<Bytes>>);

impl Write for Sending {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let piece = Bytes::copy_from_slice(&bytes[..bytes.len().min(PIECE_BYTES)]);
        let length = piece.len();
        let sending = self.0.send_timeout(Ok(piece), SILENCE);
        let sent = Handle::current().block_on(sending);
        sent.map_err(|_| io::Error::new(io::ErrorKind::BrokenPipe, "the reader has gone"))?;
        Ok(length)
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// An archive being written. Blocking.
struct Archive {
    gateway: Gateway,
    account: AccountId,
    zip: ZipWriter<StreamWriter<BufWriter<Sending>>>,
    _permit: OwnedSemaphorePermit,
}

impl Archive {
    fn write(mut self, active: &Active, with_files: bool) -> io::Result<()> {
        self.begin("README.txt", CompressionMethod::Deflated)?;
        self.zip.write_all(README.as_bytes())?;
        self.write_account(active)?;
        self.write_videos()?;
        self.write_events()?;
        if with_files {
            self.write_files()?;
        }
        let mut written = self.zip.finish().map_err(io::Error::other)?.into_inner();
        written.flush()
    }

    fn begin(&mut self, name: &str, method: CompressionMethod) -> io::Result<()> {
        let options = SimpleFileOptions::default()
            .compression_method(method)
            .large_file(true);
        self.zip.start_file(name, options).map_err(io::Error::other)
    }

    fn write_json(&mut self, name: &str, value: &serde_json::Value) -> io::Result<()> {
        self.begin(name, CompressionMethod::Deflated)?;
        serde_json::to_writer_pretty(&mut self.zip, value)?;
        self.zip.write_all(b"\n")
    }

    fn write_account(&mut self, active: &Active) -> io::Result<()> {
        let (gateway, account) = (self.gateway.clone(), self.account);
        let opened = |sealed: &Sealed| text_of(&gateway, account, &sealed.0);
        let profile = json!({
            "id": account,
            "personal": opened(&active.personal),
            "role": active.role,
            "email_confirmed": active.email_confirmed,
            "has_password": active.has_password,
        });
        self.write_json("profile.json", &profile)?;
        if let Some(picture) = gateway.picture(account).map_err(unreadable)? {
            self.begin("avatar.jpg", CompressionMethod::Stored)?;
            self.zip.write_all(&picture)?;
        }
        let preferences = active.preferences.as_ref().map(opened);
        self.write_json("preferences.json", &json!(preferences))?;
        let sessions = active.sessions.iter().map(|(id, session)| {
            json!({
                "id": id,
                "started_at": session.started_at,
                "refreshed_at": session.refreshed_at,
                "expires_at": session.expires_at,
                "client": session.client.as_ref().map(opened),
            })
        });
        let sessions = sessions.collect();
        self.write_json("sessions.json", &sessions)?;
        let keys = active.api_keys.iter().map(|(id, key)| {
            json!({
                "id": id,
                "name": opened(&key.name),
                "scopes": key.scopes,
                "created_at": key.created_at,
                "expires_at": key.expires_at,
            })
        });
        let keys = keys.collect();
        self.write_json("api_keys.json", &keys)?;
        let identities = active
            .identities
            .values()
            .map(|identity| json!({"provider": identity.provider, "shown": opened(&identity.shown)}));
        let identities = identities.collect();
        self.write_json("identities.json", &identities)
    }

    fn write_videos(&mut self) -> io::Result<()> {
        self.begin("videos.jsonl", CompressionMethod::Deflated)?;
        self.each_video(|archive, video| {
            serde_json::to_writer(&mut archive.zip, &archive.gateway.shown(video))?;
            archive.zip.write_all(b"\n")
        })?;
        self.begin("jobs.jsonl", CompressionMethod::Deflated)?;
        self.each_video(|archive, video| {
            let projections = archive.gateway.parts().projections.clone();
            let job = projections.jobs().job(JobId::of(video.id, 1));
            if let Some(job) = job.map_err(io::Error::other)? {
                serde_json::to_writer(&mut archive.zip, &job)?;
                archive.zip.write_all(b"\n")?;
            }
            Ok(())
        })
    }

    fn each_video(&mut self, mut told: impl FnMut(&mut Self, Video) -> io::Result<()>) -> io::Result<()> {
        let projections = self.gateway.parts().projections.clone();
        let mut list = List {
            of: Of::Owner(self.account),
            cursor: None,
            limit: STEP,
        };
        loop {
            let page = projections.catalogue().list(&list).map_err(io::Error::other)?;
            for video in page.items {
                let video = self.gateway.with_texts(video).map_err(io::Error::other)?;
                told(self, video)?;
            }
            list.cursor = page.next_cursor;
            if list.cursor.is_none() {
                return Ok(());
            }
        }
    }

    fn write_events(&mut self) -> io::Result<()> {
        self.begin("events.jsonl", CompressionMethod::Deflated)?;
        let parts = self.gateway.parts().clone();
        let mut after = None;
        loop {
            let commits = parts.projections.audit().commits(self.account, after.as_deref());
            let commits = commits.map_err(io::Error::other)?;
            for at in commits.positions {
                let record = parts.projections.audit().commit(at).map_err(io::Error::other)?;
                self.write_commit(&record.payload)?;
            }
            after = commits.next;
            if after.is_none() {
                return Ok(());
            }
        }
    }

    fn write_commit(&mut self, record: &[u8]) -> io::Result<()> {
        let commit = CommitRef::decode(record).map_err(io::Error::other)?;
        // What is sealed in another's stream is another's.
        let is_own = commit.stream == self.account.stream();
        for envelope in Envelope::of_commit(&commit) {
            let mut event = serde_json::to_value(&envelope)?;
            opened_all(&self.gateway, self.account, is_own, &mut event["data"]);
            serde_json::to_writer(&mut self.zip, &event)?;
            self.zip.write_all(b"\n")?;
        }
        Ok(())
    }

    /// What is deleted meanwhile is left out.
    fn write_files(&mut self) -> io::Result<()> {
        self.each_video(|archive, video| {
            let Some(original) = video.original else {
                return Ok(());
            };
            let handle = Handle::current();
            let blobs = archive.gateway.parts().blobs.clone();
            let mut reader = match handle.block_on(blobs.read_stream(&original.blob, None)) {
                Ok(reader) => reader,
                Err(spool_blobs::BlobError::NotFound { .. }) => return Ok(()),
                Err(error) => return Err(io::Error::other(error)),
            };
            let name = original.file_name.replace(['/', '\\'], "_");
            let name = format!("files/{}/{name}", video.id);
            archive.begin(&name, CompressionMethod::Stored)?;
            while let Some(chunk) = handle.block_on(reader.next()) {
                archive.zip.write_all(&chunk?)?;
            }
            Ok(())
        })
    }
}

//! Time from the last byte of an upload to the first segment that decodes, for films of 10 minutes, on the real binary.

use anyhow::{Context, Result, bail};
use futures_util::StreamExt;
use reqwest::Client;
use reqwest::multipart::{Form, Part};
use serde_json::{Value, json};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

const ROUNDS: usize = 5;
const POLL: Duration = Duration::from_millis(4);
const PATIENCE: Duration = Duration::from_secs(60);

/// What a film is and how soon it must play, in seconds.
struct Film {
    figure: &'static str,
    path: PathBuf,
    goal: f64,
}

#[tokio::main]
async fn main() -> Result<()> {
    let folder = tempfile::tempdir()?;
    let films = make_films(folder.path())?;
    for film in &films {
        let mut seconds = Vec::new();
        for round in 0..ROUNDS {
            let data = folder.path().join(format!("{}-{round}", film.figure));
            seconds.push(measure(&data, film).await?);
        }
        seconds.sort_by(f64::total_cmp);
        let median = seconds[ROUNDS / 2];
        let line = json!({
            "bench": "first_segment", "figure": film.figure, "value": median, "unit": "s", "goal": film.goal,
            "min": seconds[0], "max": seconds[ROUNDS - 1],
        });
        println!("{line}");
    }
    Ok(())
}

/// Ten minutes each, made of the demo film: one that browsers play, one that they do not.
fn make_films(folder: &Path) -> Result<Vec<Film>> {
    let demo = Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("../demo/bbb_720p25_aac51.mp4")
        .display()
        .to_string();
    let path = |name: &str| folder.join(name);
    ffmpeg(
        &["-stream_loop", "112", "-i", &demo, "-c", "copy"],
        &path("safe.mp4"),
    )?;
    ffmpeg(
        &[
            "-i",
            &demo,
            "-c:v",
            "mpeg2video",
            "-q:v",
            "4",
            "-c:a",
            "mp2",
            "-ac",
            "2",
        ],
        &path("short.ts"),
    )?;
    let short = path("short.ts").display().to_string();
    ffmpeg(
        &["-stream_loop", "112", "-i", &short, "-c", "copy"],
        &path("unsafe.ts"),
    )?;
    Ok(vec![
        Film {
            figure: "browser_safe",
            path: path("safe.mp4"),
            goal: 0.5,
        },
        Film {
            figure: "mpeg2_in_ts",
            path: path("unsafe.ts"),
            goal: 3.0,
        },
    ])
}

fn ffmpeg(words: &[&str], into: &Path) -> Result<()> {
    let status = Command::new("ffmpeg")
        .args(["-nostdin", "-v", "error", "-y"])
        .args(words)
        .arg(into)
        .status()?;
    if !status.success() {
        bail!("ffmpeg could not make {}", into.display());
    }
    Ok(())
}

/// A fresh server for each film, so that nothing else runs.
async fn measure(data: &Path, film: &Film) -> Result<f64> {
    let server = Server::start(data).await?;
    let http = Client::new();
    let person = json!({
        "email": "a@example.org", "password": "correct horse battery", "username": "somebody",
        "first_name": "Some", "last_name": "Body",
    });
    let request = http
        .post(format!("{}/api/auth/register", server.base))
        .json(&person);
    let answer: Value = request.send().await?.error_for_status()?.json().await?;
    let token = answer["access_token"].as_str().context("a token")?;
    let (video, last_byte) = upload(&http, &server.base, token, &film.path).await?;
    let folder = format!("{}/api/storage/videos/{video}/hls", server.base);
    let end = Instant::now() + PATIENCE;
    let segment = loop {
        if let Some(segment) = first_segment(&http, &folder).await? {
            break segment;
        }
        if Instant::now() > end {
            bail!("{} did not become playable", film.figure);
        }
        tokio::time::sleep(POLL).await;
    };
    let seconds = last_byte.elapsed().as_secs_f64();
    decode(data, &segment)?;
    Ok(seconds)
}

/// The id of the video, and when the last byte was handed to the socket.
async fn upload(http: &Client, base: &str, token: &str, film: &Path) -> Result<(String, Instant)> {
    let file = tokio::fs::File::open(film).await?;
    let size = file.metadata().await?.len();
    let last = Arc::new(Mutex::new(Instant::now()));
    let seen = last.clone();
    let chunks = tokio_util::io::ReaderStream::with_capacity(file, 256 << 10).map(move |chunk| {
        if let Ok(mut seen) = seen.lock() {
            *seen = Instant::now();
        }
        chunk
    });
    let part = Part::stream_with_length(reqwest::Body::wrap_stream(chunks), size).file_name("film");
    let form = Form::new()
        .text("title", "ten minutes")
        .text("visibility", "public")
        .part("file", part);
    let request = http
        .post(format!("{base}/api/storage/upload/video"))
        .bearer_auth(token)
        .multipart(form);
    let answer: Value = request.send().await?.error_for_status()?.json().await?;
    let id = answer["video"]["id"].as_str().context("an id")?.to_owned();
    let last_byte = *last
        .lock()
        .map_err(|_| anyhow::anyhow!("nobody panics with the lock"))?;
    Ok((id, last_byte))
}

/// Init and first segment of the first picture rendition, once they can be fetched.
async fn first_segment(http: &Client, folder: &str) -> Result<Option<Vec<u8>>> {
    let Some(master) = fetch(http, &format!("{folder}/master.m3u8")).await? else {
        return Ok(None);
    };
    let master = String::from_utf8(master)?;
    let Some(variant) = master
        .lines()
        .find(|line| !line.starts_with('#') && !line.is_empty())
    else {
        return Ok(None);
    };
    let Some(playlist) = fetch(http, &format!("{folder}/{variant}")).await? else {
        return Ok(None);
    };
    let playlist = String::from_utf8(playlist)?;
    let rendition = variant.split('/').next().unwrap_or_default();
    let init = playlist
        .split("URI=\"")
        .nth(1)
        .and_then(|rest| rest.split('"').next());
    let segment = playlist
        .lines()
        .find(|line| !line.starts_with('#') && !line.is_empty());
    let (Some(init), Some(segment)) = (init, segment) else {
        return Ok(None);
    };
    let mut bytes = fetch(http, &format!("{folder}/{rendition}/{init}"))
        .await?
        .context("a listed init segment")?;
    bytes.extend(
        fetch(http, &format!("{folder}/{rendition}/{segment}"))
            .await?
            .context("a listed segment")?,
    );
    Ok(Some(bytes))
}

async fn fetch(http: &Client, url: &str) -> Result<Option<Vec<u8>>> {
    let answer = http.get(url).send().await?;
    Ok(if answer.status().is_success() {
        Some(answer.bytes().await?.to_vec())
    } else {
        None
    })
}

fn decode(data: &Path, segment: &[u8]) -> Result<()> {
    let file = data.join("first.mp4");
    std::fs::write(&file, segment)?;
    let output = Command::new("ffmpeg")
        .args(["-nostdin", "-v", "error", "-i"])
        .arg(&file)
        .args(["-f", "null", "-"])
        .output()?;
    if !output.status.success() || !output.stderr.is_empty() {
        bail!(
            "the first segment does not decode: {}",
            String::from_utf8_lossy(&output.stderr)
        );
    }
    Ok(())
}

struct Server {
    child: Child,
    base: String,
}

impl Server {
    async fn start(data: &Path) -> Result<Self> {
        let address = std::net::TcpListener::bind("127.0.0.1:0")?.local_addr()?;
        // Examples lie one folder below the binaries.
        let own = std::env::current_exe()?;
        let spool = own
            .parent()
            .and_then(Path::parent)
            .context("a target folder")?
            .join("spool");
        let mut command = Command::new(spool);
        command
            .args(["serve", "--listen", &address.to_string(), "--data"])
            .arg(data);
        let child = command
            .env("SPOOL_TELEMETRY_LOG", "warn")
            .stdout(Stdio::null())
            .spawn()
            .context("starting spool")?;
        let server = Self {
            child,
            base: format!("http://{address}"),
        };
        let end = Instant::now() + PATIENCE;
        while fetch(&Client::new(), &format!("{}/health/ready", server.base))
            .await
            .ok()
            .flatten()
            .is_none()
        {
            if Instant::now() > end {
                bail!("the server did not become ready");
            }
            tokio::time::sleep(POLL).await;
        }
        Ok(server)
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

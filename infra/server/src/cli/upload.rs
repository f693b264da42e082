//! `spool upload FILE`: sends a film to a running Spool and shows how it gets there, and then gets ready.

use anyhow::{Context, bail};
use clap::Args;
use futures_util::TryStreamExt;
use indicatif::{ProgressBar, ProgressStyle};
use reqwest::multipart::{Form, Part};
use reqwest::{Client, RequestBuilder, Response};
use serde_json::{Value, json};
use std::path::PathBuf;
use std::time::Duration;

/// How often the server is asked how far the processing is.
const ASK_EVERY: Duration = Duration::from_millis(300);
/// Without any change for this long something is wrong.
const PATIENCE: Duration = Duration::from_secs(300);

#[derive(Args)]
pub struct Upload {
    /// The film
    file: PathBuf,
    /// Where Spool runs
    #[arg(long, env = "SPOOL_URL", default_value = "http://127.0.0.1:8080")]
    url: String,
    /// Sign in with this e-mail address …
    #[arg(long, env = "SPOOL_EMAIL")]
    email: Option<String>,
    /// … and this password
    #[arg(long, env = "SPOOL_PASSWORD", hide_env_values = true)]
    password: Option<String>,
    /// Or use this access token
    #[arg(long, env = "SPOOL_TOKEN", hide_env_values = true)]
    token: Option<String>,
    /// [default: the file's name]
    #[arg(long)]
    title: Option<String>,
    #[arg(long, default_value = "")]
    description: String,
    #[arg(long, default_value = "public", value_parser = ["public", "unlisted", "private"])]
    visibility: String,
    /// Stop as soon as the film can be played, or at once after the upload
    #[arg(long, value_enum, default_value_t = Wait::Ready)]
    wait: Wait,
}

#[derive(Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
enum Wait {
    /// Until every quality is there
    Ready,
    /// Until it can be played
    Playable,
    /// Not at all
    None,
}

impl Upload {
    pub async fn run(self) -> anyhow::Result<()> {
        let client = Client::builder()
            .connect_timeout(Duration::from_secs(10))
            .build()?;
        let token = self.sign_in(&client).await?;
        let video = self.send(&client, &token).await?;
        let id = video["id"]
            .as_str()
            .context("the server's answer names no video")?;
        println!("{}/watch/{id}", self.url.trim_end_matches('/'));
        if self.wait == Wait::None {
            return Ok(());
        }
        self.follow(&client, &token, id).await
    }

    fn at(&self, path: &str) -> String {
        format!("{}{path}", self.url.trim_end_matches('/'))
    }

    async fn sign_in(&self, client: &Client) -> anyhow::Result<String> {
        if let Some(token) = &self.token {
            return Ok(token.clone());
        }
        let (Some(email), Some(password)) = (&self.email, &self.password) else {
            bail!(
                "say who you are: --email and --password, or --token (also SPOOL_EMAIL, SPOOL_PASSWORD, SPOOL_TOKEN)"
            );
        };
        let request = client
            .post(self.at("/api/auth/login"))
            .json(&json!({"email": email, "password": password}));
        let answer = answer(request).await.context("signing in")?;
        Ok(answer["access_token"]
            .as_str()
            .context("the server's answer has no token")?
            .to_owned())
    }

    async fn send(&self, client: &Client, token: &str) -> anyhow::Result<Value> {
        let file = tokio::fs::File::open(&self.file)
            .await
            .with_context(|| format!("opening {}", self.file.display()))?;
        let size = file.metadata().await?.len();
        let name = self
            .file
            .file_name()
            .map_or_else(|| "film".into(), |name| name.to_string_lossy().into_owned());
        let bar = ProgressBar::new(size).with_style(style("{bytes}/{total_bytes} {bytes_per_sec}")?);
        bar.set_message("uploading");
        let counted = bar.clone();
        let bytes = tokio_util::io::ReaderStream::with_capacity(file, 256 << 10)
            .inspect_ok(move |chunk| counted.inc(chunk.len() as u64));
        let part = Part::stream_with_length(reqwest::Body::wrap_stream(bytes), size)
            .file_name(name.clone())
            .mime_str("application/octet-stream")?;
        let form = Form::new()
            .text("title", self.title.clone().unwrap_or(name))
            .text("description", self.description.clone())
            .text("visibility", self.visibility.clone())
            .part("file", part);
        let request = client
            .post(self.at("/api/storage/upload/video"))
            .bearer_auth(token)
            .multipart(form);
        let answer = answer(request)
            .await
            .with_context(|| format!("uploading {}", self.file.display()))?;
        bar.finish_with_message("uploaded");
        Ok(answer["video"].clone())
    }

    async fn follow(&self, client: &Client, token: &str, id: &str) -> anyhow::Result<()> {
        let bar = ProgressBar::new(100).with_style(style("{pos}%")?);
        bar.set_message("processing");
        let mut said_playable = false;
        let mut last = (Value::Null, std::time::Instant::now());
        loop {
            let request = client
                .get(self.at(&format!("/api/videos/{id}/status")))
                .bearer_auth(token);
            let status = answer(request)
                .await
                .context("asking how far the processing is")?;
            bar.set_position(status["job"]["progress"].as_u64().unwrap_or(0));
            if !said_playable && !status["hls_url"].is_null() {
                said_playable = true;
                bar.suspend(|| println!("playable now, further qualities follow"));
                if self.wait == Wait::Playable {
                    bar.finish_and_clear();
                    return Ok(());
                }
            }
            match status["status"].as_str() {
                Some("ready") => {
                    bar.finish_with_message("ready");
                    return Ok(());
                }
                Some("failed") => {
                    bar.abandon_with_message("failed");
                    bail!(
                        "{}",
                        status["job"]["error_text"]
                            .as_str()
                            .unwrap_or("the processing failed")
                    );
                }
                _ => {}
            }
            if status != last.0 {
                last = (status, std::time::Instant::now());
            } else if last.1.elapsed() > PATIENCE {
                bail!(
                    "nothing has changed for {} s; look at the server's log",
                    PATIENCE.as_secs()
                );
            }
            tokio::time::sleep(ASK_EVERY).await;
        }
    }
}

fn style(numbers: &str) -> anyhow::Result<ProgressStyle> {
    Ok(ProgressStyle::with_template(&format!(
        "{{msg:>10}} {{bar:40}} {numbers}"
    ))?)
}

/// The JSON of a good answer; the reason out of a problem document otherwise.
async fn answer(request: RequestBuilder) -> anyhow::Result<Value> {
    let response: Response = request
        .send()
        .await
        .context("the server cannot be reached; is it running?")?;
    let status = response.status();
    let body: Value = response.json().await.unwrap_or(Value::Null);
    if status.is_success() {
        return Ok(body);
    }
    let reason = body["detail"]
        .as_str()
        .or(body["title"].as_str())
        .unwrap_or("no reason was given");
    let errors = body["errors"].as_array().into_iter().flatten();
    let details: Vec<String> = errors
        .filter_map(|error| error["detail"].as_str().map(str::to_owned))
        .collect();
    bail!(
        "{status}: {reason}{}{}",
        if details.is_empty() { "" } else { ": " },
        details.join("; ")
    )
}

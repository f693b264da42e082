//! A person's requests that are not commands of a campaign.

use std::sync::Arc;

use anyhow::{Context, Result};
use reqwest::multipart::{Form, Part};
use reqwest::{Client, Response};
use serde_json::{Value, json};

/// An account with its token, for requests that are not commands of a campaign.
pub struct Account {
    pub http: Client,
    pub base: String,
    pub token: String,
}

impl Account {
    pub async fn register(base: String, name: &str) -> Result<Self> {
        let http = Client::new();
        let body = json!({
            "email": format!("{name}@example.org"), "password": "correct horse battery", "username": name,
            "first_name": "Some", "last_name": "Body",
        });
        let answer = http
            .post(format!("{base}/api/auth/register"))
            .json(&body)
            .send()
            .await?;
        let body: Value = answer.error_for_status()?.json().await?;
        let token = body["access_token"]
            .as_str()
            .context("registering gives a token")?
            .to_owned();
        Ok(Self { http, base, token })
    }

    pub async fn upload(&self, title: &str, file_name: &str, bytes: Arc<[u8]>) -> Result<Response> {
        let file = Part::bytes(bytes.to_vec())
            .file_name(file_name.to_owned())
            .mime_str("video/mp4")?;
        let form = Form::new()
            .text("title", title.to_owned())
            .text("visibility", "public")
            .part("file", file);
        let url = format!("{}/api/storage/upload/video", self.base);
        Ok(self
            .http
            .post(url)
            .bearer_auth(&self.token)
            .multipart(form)
            .send()
            .await?)
    }

    /// The id of a film that was uploaded as it should be.
    pub async fn uploaded(&self, title: &str, bytes: Arc<[u8]>) -> Result<String> {
        let answer = self.upload(title, "film.mp4", bytes).await?;
        let status = answer.status();
        let body: Value = answer.json().await?;
        let id = body["video"]["id"]
            .as_str()
            .with_context(|| format!("uploading was answered {status}: {body}"))?;
        Ok(id.to_owned())
    }

    /// Gives a film a new title; the status, or nothing when there was no answer.
    pub async fn retitle(&self, film: &str, title: &str) -> Option<reqwest::StatusCode> {
        let url = format!("{}/api/videos/{film}", self.base);
        let body = json!({ "title": title, "description": "", "visibility": "public" });
        let put = self.http.put(&url).bearer_auth(&self.token).json(&body);
        Some(put.header("If-Match", "*").send().await.ok()?.status())
    }

    pub async fn films(&self) -> Result<Vec<Value>> {
        let url = format!("{}/api/videos?owner=me&limit=100", self.base);
        let page: Value = self
            .http
            .get(url)
            .bearer_auth(&self.token)
            .send()
            .await?
            .json()
            .await?;
        Ok(page["items"].as_array().cloned().unwrap_or_default())
    }
}

/// A refusal tells the person why, in problem+json.
pub async fn reason_of(answer: Response) -> Result<(u16, String)> {
    let status = answer.status().as_u16();
    let kind = answer
        .headers()
        .get("content-type")
        .and_then(|value| value.to_str().ok())
        .unwrap_or("")
        .to_owned();
    let body: Value = answer.json().await.context("a refusal is JSON")?;
    anyhow::ensure!(
        kind.starts_with("application/problem+json"),
        "{status} came as {kind:?}: {body}"
    );
    let detail = body["detail"]
        .as_str()
        .or(body["title"].as_str())
        .unwrap_or_default()
        .to_owned();
    anyhow::ensure!(
        !detail.is_empty() && body["status"] == status,
        "{status} without a reason: {body}"
    );
    Ok((status, detail))
}

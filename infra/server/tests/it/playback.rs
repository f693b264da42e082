//! Fetches what a player would: master, playlists, every listed segment; and decodes it.

use std::process::Command;

use anyhow::{Context, Result};
use reqwest::{Client, Url};

use crate::broken::broken;
use crate::person::{Film, Person};

/// One rendition as its playlist lists it.
struct Listed {
    playlist: Url,
    parts: Vec<Url>,
    seconds: f64,
    is_complete: bool,
}

/// Every segment that any playlist lists can be fetched. A film that cannot be played yet lists nothing.
pub async fn fetch_published(person: &Person, film: &Film, base: &str) -> Result<()> {
    let Some(master) = master(person, film, base).await? else {
        return Ok(());
    };
    for rendition in renditions(&master).await? {
        fetch_all(&rendition).await?;
    }
    Ok(())
}

/// A finished film: every rendition is complete, as long as the film, and decodes without a complaint.
pub async fn decode_whole(person: &Person, film: &Film, base: &str) -> Result<()> {
    match master(person, film, base).await? {
        Some(master) => decode_all(&master, film.seconds).await,
        None => broken!("{} is ready, yet cannot be played", film.id),
    }
}

/// The same for whatever film has this master playlist.
pub async fn decode_all(master: &Url, seconds: f64) -> Result<()> {
    for rendition in renditions(master).await? {
        if !rendition.is_complete {
            broken!("the film is ready, yet {} has no end", rendition.playlist);
        }
        if (rendition.seconds - seconds).abs() > 0.5 {
            broken!(
                "the film lasts {seconds} s, but {} lists {} s",
                rendition.playlist,
                rendition.seconds
            );
        }
        fetch_all(&rendition).await?;
        decode(&rendition.playlist)?;
    }
    Ok(())
}

/// Where the master playlist is, if there is one yet.
async fn master(person: &Person, film: &Film, base: &str) -> Result<Option<Url>> {
    let page = person
        .read(base, &format!("/api/videos/{}", film.id), None)
        .await?;
    let master = page.body["hls_url"].as_str();
    Ok(master.map(|master| Url::parse(base)?.join(master)).transpose()?)
}

async fn renditions(master: &Url) -> Result<Vec<Listed>> {
    let text = fetch_text(master).await?;
    let mut listed = Vec::new();
    for line in text
        .lines()
        .filter(|line| !line.is_empty() && !line.starts_with('#'))
    {
        listed.push(read_playlist(master.join(line)?).await?);
    }
    if listed.is_empty() {
        broken!("the master playlist {master} names no rendition:\n{text}");
    }
    Ok(listed)
}

async fn read_playlist(playlist: Url) -> Result<Listed> {
    let text = fetch_text(&playlist).await?;
    let (mut parts, mut seconds) = (Vec::new(), 0.0);
    for line in text.lines() {
        if let Some(map) = line.strip_prefix("#EXT-X-MAP:") {
            let uri = map.split("URI=\"").nth(1).and_then(|rest| rest.split('"').next());
            parts.push(playlist.join(uri.context("EXT-X-MAP without a URI")?)?);
        } else if let Some(information) = line.strip_prefix("#EXTINF:") {
            let number = information.split(',').next().unwrap_or_default();
            seconds += number.parse::<f64>().context("EXTINF without a number")?;
        } else if !line.is_empty() && !line.starts_with('#') {
            parts.push(playlist.join(line)?);
        }
    }
    if seconds == 0.0 {
        broken!("{playlist} is offered without a segment:\n{text}");
    }
    Ok(Listed {
        is_complete: text.contains("#EXT-X-ENDLIST"),
        playlist,
        parts,
        seconds,
    })
}

async fn fetch_all(rendition: &Listed) -> Result<()> {
    let http = Client::new();
    for part in &rendition.parts {
        let answer = http.get(part.clone()).send().await?;
        let status = answer.status();
        let bytes = answer.bytes().await?;
        if !status.is_success() || bytes.is_empty() {
            broken!(
                "{} lists {part}, which answers {status} with {} bytes",
                rendition.playlist,
                bytes.len()
            );
        }
    }
    Ok(())
}

async fn fetch_text(url: &Url) -> Result<String> {
    let answer = reqwest::get(url.clone()).await?;
    let status = answer.status();
    let text = answer.text().await?;
    if !status.is_success() {
        broken!("{url} answers {status}: {text}");
    }
    Ok(text)
}

/// Decodes all frames of all streams; any complaint counts.
fn decode(playlist: &Url) -> Result<()> {
    let mut command = Command::new("ffprobe");
    command.args([
        "-v",
        "error",
        "-count_frames",
        "-show_entries",
        "stream=codec_type,nb_read_frames",
    ]);
    let output = command
        .args(["-of", "csv=p=0", playlist.as_str()])
        .output()
        .context("could not start ffprobe")?;
    let (found, wrote) = (
        String::from_utf8_lossy(&output.stdout),
        String::from_utf8_lossy(&output.stderr),
    );
    let frames = |line: &str| {
        line.rsplit(',')
            .find_map(|word| word.parse::<u64>().ok())
            .unwrap_or(0)
    };
    let has_picture = found
        .lines()
        .any(|line| line.contains("video") && frames(line) > 0);
    if !output.status.success() || !wrote.trim().is_empty() || !has_picture {
        broken!("{playlist} does not decode: {found}{wrote}");
    }
    Ok(())
}

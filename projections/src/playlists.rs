//! HLS playlists (RFC 8216bis) of what has been published so far.
//!
//! URIs are relative, so the master playlist is at `…/hls/master.m3u8` and a media playlist at
//! `…/hls/{rendition}/index.m3u8`. A query, such as a signature, is put behind every URI. The files that everybody can read
//! somewhere else, such as on a CDN, are named by where they are.

use crate::catalogue::{Media, RenditionMedia, RenditionState};
use spool_domain::media::RenditionKind;
use std::fmt::{self, Write};

/// Longer than any segment the workers cut. It may not change while a playlist grows, so it is not measured.
const TARGET_SECONDS: u32 = 6;
const VERSION: u32 = 7;

/// Whether a player finds something to show: a picture, and sound if there is to be sound.
pub fn is_playable(renditions: &[RenditionState]) -> bool {
    let sound_is_there = renditions
        .iter()
        .filter(|state| state.kind == RenditionKind::Audio)
        .all(|state| state.segments > 0);
    sound_is_there
        && renditions
            .iter()
            .any(|state| state.kind == RenditionKind::Video && state.segments > 0)
}

/// Whether a provisional rendition has served its turn, because a proper one is as far.
pub fn is_superseded(state: &RenditionState, all: &[RenditionState]) -> bool {
    let is_as_far = |other: &RenditionState| other.finished || other.published_ms >= state.published_ms;
    state.provisional
        && all
            .iter()
            .filter(|other| other.kind == RenditionKind::Video && !other.provisional && other.segments > 0)
            .any(is_as_far)
}

/// The master playlist; none while there is nothing to play.
pub fn master(media: &Media, query: Option<&str>) -> Option<String> {
    if !is_playable(&media.renditions) {
        return None;
    }
    let mut text = String::new();
    write_master(&mut text, &media.renditions, Query(query)).expect("a string takes all text");
    Some(text)
}

/// The media playlist of one rendition: it grows until the rendition or the job is over. `elsewhere` is asked where everybody
/// finds a folder of the blobs.
pub fn media(
    rendition: &RenditionMedia,
    query: Option<&str>,
    elsewhere: &dyn Fn(&str) -> Option<String>,
) -> String {
    let mut text = String::new();
    write_media(&mut text, rendition, Query(query), elsewhere).expect("a string takes all text");
    text
}

fn write_master(text: &mut String, renditions: &[RenditionState], query: Query<'_>) -> fmt::Result {
    writeln!(
        text,
        "#EXTM3U\n#EXT-X-VERSION:{VERSION}\n#EXT-X-INDEPENDENT-SEGMENTS"
    )?;
    let of_kind = |kind| {
        renditions
            .iter()
            .filter(move |state| state.kind == kind && state.segments > 0)
    };
    for (at, sound) in of_kind(RenditionKind::Audio).enumerate() {
        let (name, default) = (&sound.name, if at == 0 { "YES" } else { "NO" });
        writeln!(
            text,
            "#EXT-X-MEDIA:TYPE=AUDIO,GROUP-ID=\"audio\",NAME=\"{name}\",DEFAULT={default},AUTOSELECT=YES,\
             URI=\"{name}/index.m3u8{query}\""
        )?;
    }
    let sound = of_kind(RenditionKind::Audio).max_by_key(|sound| sound.peak_bits_per_second());
    let mut pictures: Vec<_> = of_kind(RenditionKind::Video)
        .filter(|state| !is_superseded(state, renditions))
        .collect();
    pictures.sort_by_key(|state| (state.height, state.peak_bits_per_second()));
    for picture in pictures {
        // A rendition that names two codecs has its sound inside.
        let sound = sound.filter(|_| !picture.codecs.contains(','));
        write_variant(text, picture, sound)?;
        writeln!(text, "{}/index.m3u8{query}", picture.name)?;
    }
    Ok(())
}

fn write_variant(text: &mut String, picture: &RenditionState, sound: Option<&RenditionState>) -> fmt::Result {
    let sum = |of: fn(&RenditionState) -> u64| of(picture) + sound.map_or(0, of);
    let peak = sum(RenditionState::peak_bits_per_second).max(1);
    let average = sum(RenditionState::average_bits_per_second).max(1);
    write!(
        text,
        "#EXT-X-STREAM-INF:BANDWIDTH={peak},AVERAGE-BANDWIDTH={average},CODECS=\"{}",
        picture.codecs
    )?;
    if let Some(sound) = sound {
        write!(text, ",{}", sound.codecs)?;
    }
    write!(text, "\"")?;
    if picture.width > 0 && picture.height > 0 {
        write!(text, ",RESOLUTION={}x{}", picture.width, picture.height)?;
    }
    if picture.frames_milli > 0 {
        write!(text, ",FRAME-RATE={:.3}", picture.frames_per_second())?;
    }
    if sound.is_some() {
        write!(text, ",AUDIO=\"audio\"")?;
    }
    writeln!(text)
}

fn write_media(
    text: &mut String,
    rendition: &RenditionMedia,
    query: Query<'_>,
    elsewhere: &dyn Fn(&str) -> Option<String>,
) -> fmt::Result {
    let segments = || rendition.runs.iter().flat_map(|run| &run.segments);
    let longest_ms = segments().map(|segment| segment.duration_ms).max().unwrap_or(0);
    let target = longest_ms.div_ceil(1000).max(TARGET_SECONDS);
    // A provisional rendition ends in the middle of the film, which is not to be taken for its end.
    let whole = rendition.state.finished && !rendition.state.provisional;
    let ended = rendition.over || whole;
    let kind = if rendition.over { "VOD" } else { "EVENT" };
    writeln!(
        text,
        "#EXTM3U\n#EXT-X-VERSION:{VERSION}\n#EXT-X-INDEPENDENT-SEGMENTS"
    )?;
    writeln!(
        text,
        "#EXT-X-TARGETDURATION:{target}\n#EXT-X-MEDIA-SEQUENCE:0\n#EXT-X-PLAYLIST-TYPE:{kind}"
    )?;
    if !ended {
        // Players take a playlist that grows for live and would begin at its end.
        writeln!(text, "#EXT-X-START:TIME-OFFSET=0")?;
    }
    let mut attempt = None;
    for run in &rendition.runs {
        let folder = elsewhere(&rendition.folder(run.attempt));
        if attempt.replace(run.attempt) != Some(run.attempt) {
            match &folder {
                Some(folder) => writeln!(text, "#EXT-X-MAP:URI=\"{folder}/init.mp4\"")?,
                None => writeln!(text, "#EXT-X-MAP:URI=\"init-{}.mp4{query}\"", run.attempt)?,
            }
        }
        for (index, segment) in (run.from..).zip(&run.segments) {
            let (seconds, millis) = (segment.duration_ms / 1000, segment.duration_ms % 1000);
            writeln!(text, "#EXTINF:{seconds}.{millis:03},")?;
            match &folder {
                Some(folder) => writeln!(text, "{folder}/{index}.m4s")?,
                None => writeln!(text, "{index}.m4s{query}")?,
            }
        }
    }
    if ended {
        writeln!(text, "#EXT-X-ENDLIST")?;
    }
    Ok(())
}

/// What is put behind a URI.
#[derive(Clone, Copy)]
struct Query<'a>(Option<&'a str>);

impl fmt::Display for Query<'_> {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0 {
            Some(query) if !query.is_empty() => write!(out, "?{query}"),
            _ => Ok(()),
        }
    }
}

//! Takes a film through all tasks as a worker does, and holds every output against ffprobe and ffmpeg.

use std::path::Path;
use std::time::{Duration, Instant};

use spool_media_protocol::{
    AudioTask, CutBy, EncodeTask, Limits, Plan, Probe, RemuxTask, RenditionKind, RungTask, SourceUse, Task,
    ThumbnailTask, WarningCode, plan,
};

use super::manifest::{Expected, Line};
use super::media::{self, Answer, Rendition};
use super::truth;

/// No refusal may take longer.
const REFUSAL_LASTS_MAX: Duration = Duration::from_secs(20);

/// Says what became of a film, or what is wrong with that.
pub fn line(line: &Line, folder: &Path) -> Result<String, String> {
    let began = Instant::now();
    let first = media::run(
        &Task::Remux(RemuxTask {
            audio: Some(AudioTask::default()),
            ..remux()
        }),
        &line.path,
    );
    match (&first.refused, &first.probe) {
        (Some(refusal), _) => refused(line.expected, &refusal.sentence, began.elapsed())
            .map(|()| format!("refused: {}", refusal.sentence)),
        (None, Some(probe)) if line.expected.accept => accepted(line, probe.clone(), first, folder),
        (None, Some(_)) => Err("it was accepted".to_owned()),
        (None, None) => Err(format!("no answer: {:?} {:?}", first.failed, first.status)),
    }
}

fn remux() -> RemuxTask {
    RemuxTask {
        limits: Limits {
            cpu_seconds_max: 120,
            ..Limits::default()
        },
        limit_ms: 120_000,
        ..RemuxTask::default()
    }
}

fn refused(expected: Expected, sentence: &str, lasted: Duration) -> Result<(), String> {
    demand(expected.refuse, || format!("it was refused: {sentence}"))?;
    demand(sentence.len() > 15 && sentence.ends_with('.'), || {
        format!("not a sentence: {sentence:?}")
    })?;
    let speaks_of_machines = ["0x", "AVERROR", "/", "ffmpeg"]
        .iter()
        .any(|word| sentence.contains(word));
    demand(!speaks_of_machines, || format!("not for a person: {sentence}"))?;
    demand(lasted < REFUSAL_LASTS_MAX, || {
        format!("the refusal took {lasted:?}")
    })
}

fn accepted(line: &Line, probe: Probe, first: Answer, folder: &Path) -> Result<String, String> {
    let source = truth::streams(&line.path);
    let picture = source
        .iter()
        .find(|stream| stream.kind == "video" && !stream.is_attached_picture)
        .ok_or("ffprobe sees no picture in it")?;
    seen_size(&probe, picture)?;
    let plan = plan(&probe);
    finished("remux", &first)?;
    let mut cpu_ms = first.finished.as_ref().map_or(0, |finished| finished.cpu_ms);
    let mut renditions: Vec<Rendition> = first.renditions.into_values().collect();
    let has_audio = renditions
        .iter()
        .any(|rendition| rendition.init().kind == RenditionKind::Audio);
    for encode in encode_tasks(&plan, has_audio) {
        let answer = media::run(&Task::Encode(encode), &line.path);
        finished("encode", &answer)?;
        cpu_ms += answer.finished.as_ref().map_or(0, |finished| finished.cpu_ms);
        renditions.extend(answer.renditions.into_values());
    }
    whole_film(
        line,
        &probe,
        &plan,
        &renditions,
        source.iter().any(|stream| stream.kind == "audio"),
    )?;
    for rendition in &renditions {
        one_rendition(rendition, folder, picture.transfer == "smpte2084")
            .map_err(|why| format!("{}: {why}", rendition.init().rendition))?;
    }
    aligned(&plan, &renditions)?;
    thumbnail(line, &probe, folder)?;
    let names: Vec<String> = renditions.iter().map(described).collect();
    Ok(format!(
        "{} in {:.1} CPU s",
        names.join(", "),
        cpu_ms as f64 / 1000.0
    ))
}

fn described(rendition: &Rendition) -> String {
    let init = rendition.init();
    let how = if init.copied { " copied" } else { "" };
    match init.kind {
        RenditionKind::Video => format!("{} {}x{}{how}", init.rendition, init.width, init.height),
        RenditionKind::Audio => format!("{}{how}", init.rendition),
    }
}

/// The lowest rung alone, with the sound when the remux did not make it, then the others.
fn encode_tasks(plan: &Plan, has_audio: bool) -> Vec<EncodeTask> {
    let lanes: Vec<RungTask> = plan
        .rungs
        .iter()
        .map(|rung| RungTask {
            rung: rung.clone(),
            start_segment: 0,
        })
        .collect();
    let (lowest, others) = lanes.split_at(lanes.len().min(1));
    [(lowest, !has_audio), (others, false)]
        .into_iter()
        .filter(|(lanes, _)| !lanes.is_empty())
        .map(|(lanes, with_audio)| EncodeTask {
            limits: Limits {
                cpu_seconds_max: 300,
                ..Limits::default()
            },
            rungs: lanes.to_vec(),
            audio: with_audio.then(AudioTask::default),
            cut: plan.cut,
            encoder_threads: 0,
        })
        .collect()
}

fn finished(what: &str, answer: &Answer) -> Result<(), String> {
    let said = (&answer.refused, &answer.failed, &answer.status);
    demand(answer.finished.is_some(), || {
        format!("{what} did not finish: {said:?}")
    })?;
    demand(answer.status.is_some_and(|status| status.success()), || {
        format!("{what} ended badly: {said:?}")
    })
}

/// A picture on its side is shown upright.
fn seen_size(probe: &Probe, picture: &truth::Stream) -> Result<(), String> {
    let turned = picture.rotation.rem_euclid(180) == 90;
    let aspect = if turned {
        1.0 / picture.display_aspect
    } else {
        picture.display_aspect
    };
    let seen = f64::from(probe.video.width) / f64::from(probe.video.height);
    demand((seen - aspect).abs() < 0.01, || {
        format!("the aspect is {seen}, ffprobe says {aspect}")
    })
}

fn whole_film(
    line: &Line,
    probe: &Probe,
    plan: &Plan,
    renditions: &[Rendition],
    source_has_sound: bool,
) -> Result<(), String> {
    let truncated = probe
        .warnings
        .iter()
        .any(|warning| warning.code == WarningCode::Truncated);
    demand(truncated == line.expected.degraded, || {
        format!("truncated is {truncated}: {:?}", probe.warnings)
    })?;
    let expected = line
        .duration_s
        .filter(|_| !truncated)
        .unwrap_or(probe.duration_ms as f64 / 1000.0);
    for rendition in renditions {
        let init = rendition.init();
        let lasts: u64 = rendition
            .segments
            .iter()
            .map(|(segment, _)| segment.duration_ticks)
            .sum();
        let lasts = lasts as f64 / f64::from(init.timescale);
        let tolerance = (expected * 0.06).max(0.25);
        demand((lasts - expected).abs() <= tolerance, || {
            format!(
                "{} lasts {lasts:.2} s and the film {expected:.2} s",
                init.rendition
            )
        })?;
    }
    if truncated {
        let declared = line.duration_s.unwrap_or(f64::MAX);
        demand(expected < declared * 0.9, || {
            format!("it claims {expected} s of {declared} s")
        })?;
    }
    let sounds = renditions
        .iter()
        .filter(|rendition| rendition.init().kind == RenditionKind::Audio)
        .count();
    demand(sounds == usize::from(source_has_sound), || {
        format!("{sounds} renditions of sound")
    })?;
    let copied = usize::from(plan.source != SourceUse::None);
    let pictures = renditions.len() - sounds;
    demand(pictures == plan.rungs.len() + copied, || {
        format!("{pictures} renditions of the picture")
    })
}

fn one_rendition(rendition: &Rendition, folder: &Path, was_hdr: bool) -> Result<(), String> {
    let init = rendition.init();
    let file = folder.join(format!("{}.mp4", init.rendition));
    contiguous(rendition)?;
    rendition.write_all(&file);
    let errors = truth::decode_errors(&file);
    demand(errors.is_empty(), || format!("does not decode: {errors}"))?;
    let streams = truth::streams(&file);
    let [stream] = streams.as_slice() else {
        return Err(format!("{} streams", streams.len()));
    };
    demand(stream.start.abs() < 0.002, || {
        format!("begins at {} s", stream.start)
    })?;
    let frames: u64 = rendition
        .segments
        .iter()
        .map(|(segment, _)| u64::from(segment.frames))
        .sum();
    demand(stream.frames == frames, || {
        format!("{} frames of {frames} decode", stream.frames)
    })?;
    if init.kind == RenditionKind::Audio {
        demand(stream.codec == "aac" && stream.channels <= 2, || {
            format!("{stream:?}")
        })?;
        return Ok(());
    }
    demand(stream.codec == "h264", || format!("{stream:?}"))?;
    demand(
        stream.pixel_format.starts_with("yuv") && stream.pixel_format.ends_with("420p"),
        || format!("{stream:?}"),
    )?;
    demand(stream.width % 2 == 0 && stream.height % 2 == 0, || {
        format!("{stream:?}")
    })?;
    demand(
        matches!(stream.field_order.as_str(), "progressive" | "unknown" | ""),
        || format!("{stream:?}"),
    )?;
    demand(!was_hdr || stream.transfer == "bt709", || format!("{stream:?}"))?;
    for n in 0..rendition.segments.len() {
        rendition.write(&file, n..=n);
        let first = truth::first_packet(&file);
        demand(first.is_some_and(|(_, is_key)| is_key), || {
            format!("segment {n} begins with {first:?}")
        })?;
        let errors = truth::decode_errors(&file);
        demand(errors.is_empty(), || {
            format!("segment {n} does not stand alone: {errors}")
        })?;
    }
    Ok(())
}

/// Segments follow each other without a hole and are of bearable length.
pub fn contiguous(rendition: &Rendition) -> Result<(), String> {
    let timescale = u64::from(rendition.init().timescale);
    let mut next = None;
    for (segment, bytes) in &rendition.segments {
        let (index, start) = next.unwrap_or((segment.index, segment.start_ticks));
        demand(segment.index == index && segment.start_ticks == start, || {
            format!("after {next:?} comes {segment:?}")
        })?;
        demand(segment.bytes == bytes.len() as u64, || {
            format!("{} bytes: {segment:?}", bytes.len())
        })?;
        let longest = if rendition.init().whole {
            6 * timescale + timescale / 10
        } else {
            u64::MAX
        };
        demand((1..=longest).contains(&segment.duration_ticks), || {
            format!("its length: {segment:?}")
        })?;
        next = Some((index + 1, segment.start_ticks + segment.duration_ticks));
    }
    demand(!rendition.segments.is_empty(), || "it has no segments".to_owned())
}

/// Every rung begins its segments at the same pictures, and has the same aspect.
fn aligned(plan: &Plan, renditions: &[Rendition]) -> Result<(), String> {
    let is_rung = |rendition: &&Rendition| {
        let init = rendition.init();
        init.kind == RenditionKind::Video && (!init.copied || plan.cut == CutBy::SourceKeyframes)
    };
    let starts = |rendition: &Rendition| -> Vec<u64> {
        rendition
            .segments
            .iter()
            .map(|(segment, _)| segment.start_ticks)
            .collect()
    };
    let mut rungs = renditions.iter().filter(is_rung);
    let Some(first) = rungs.next() else { return Ok(()) };
    for other in rungs {
        let (one, two) = (starts(first), starts(other));
        demand(one == two, || {
            format!("{} begins at {two:?}, not {one:?}", other.init().rendition)
        })?;
    }
    Ok(())
}

fn thumbnail(line: &Line, probe: &Probe, folder: &Path) -> Result<(), String> {
    let task = ThumbnailTask {
        limits: Limits::default(),
        width: 640,
        at_ms: None,
    };
    let answer = media::run(&Task::Thumbnail(task), &line.path);
    finished("thumbnail", &answer)?;
    let file = folder.join("thumbnail.jpg");
    std::fs::write(&file, answer.thumbnail.ok_or("no thumbnail")?).map_err(|error| error.to_string())?;
    let streams = truth::streams(&file);
    let picture = streams.first().ok_or("the thumbnail is no picture")?;
    let aspect = f64::from(probe.video.width) / f64::from(probe.video.height);
    demand(
        picture.codec == "mjpeg" && (picture.display_aspect - aspect).abs() < 0.03,
        || format!("{picture:?}"),
    )
}

pub fn demand(holds: bool, otherwise: impl FnOnce() -> String) -> Result<(), String> {
    if holds { Ok(()) } else { Err(otherwise()) }
}

//! Decodes a film once and encodes all asked rungs of it, and its sound when that is asked too.

use spool_media_protocol::{
    CutBy, EncodeTask, Message, RefusalCode, Rung, TICKS_PER_SECOND, WarningCode, ticks_to_ms,
};

use crate::audio::AudioLane;
use crate::av::{Frame, Graph, Packet, PictureShape, Rational};
use crate::film::Film;
use crate::filters;
use crate::lane::{Boundaries, GRID_TICKS, Lane, LaneSettings};
use crate::output::Output;
use crate::pictures::Pictures;
use crate::stop::Stop;

pub fn run(task: &EncodeTask, output: &mut Output) -> Result<(), Stop> {
    let mut film = Film::open(&task.limits)?;
    output.message(&Message::Probed(Box::new(film.probe.clone())), &[])?;
    if task.rungs.is_empty() {
        return Err(Stop::fail("task", "No rendition was asked for.", true));
    }
    let on_grid = match task.cut {
        CutBy::Grid => true,
        CutBy::SourceKeyframes if film.cuts.is_some() => false,
        CutBy::SourceKeyframes => {
            return Err(Stop::fail(
                "source_not_cuttable",
                "The film's own keyframes cannot be used for cutting.",
                true,
            ));
        }
    };
    let mut audio = task
        .audio
        .map(|audio| AudioLane::open(&film, audio.start_segment, output))
        .transpose()?
        .flatten();
    film.keep_only(true, audio.is_some());
    film.go_before(first_needed_ticks(task, &film, on_grid))?;
    let mut pass = Pass::new(task, &film, on_grid)?;
    let mut packet = Packet::new()?;
    let total_ms = film.probe.duration_ms;
    while film.read(&mut packet)? {
        if film.is_video(&packet) {
            pass.packet(&film, Some(&packet), output)?;
            output.progress(pass.pictures.end_ticks(), total_ms)?;
        } else if let Some(audio) = audio.as_mut() {
            audio.packet(&film, &packet, output)?;
        }
    }
    pass.packet(&film, None, output)?;
    let audio_end = match audio.as_mut() {
        Some(audio) => audio.finish(&film, pass.pictures.end_ticks(), output)?,
        None => soundtrack_end(&film),
    };
    let end_ticks = pass.finish(&film, audio_end, output)?;
    if film.was_damaged() || pass.pictures.was_damaged() || audio.as_ref().is_some_and(AudioLane::was_damaged)
    {
        output.warn(
            WarningCode::Damaged,
            "Parts of the film are damaged and were left out.",
        );
    }
    let measured_ms = ticks_to_ms(end_ticks);
    for warning in film
        .probe
        .warnings
        .iter()
        .cloned()
        .chain(film.truncation(measured_ms))
    {
        output.warn(warning.code, warning.sentence);
    }
    output.finish(measured_ms)?;
    Ok(())
}

/// Where the earliest missing segment of all renditions begins.
fn first_needed_ticks(task: &EncodeTask, film: &Film, on_grid: bool) -> u64 {
    let of_rung = |segment: u32| match &film.cuts {
        Some(cuts) if !on_grid => cuts.start_ticks(segment, &film.video),
        _ => u64::from(segment) * GRID_TICKS,
    };
    let rungs = task.rungs.iter().map(|rung| of_rung(rung.start_segment));
    let audio = task
        .audio
        .iter()
        .map(|audio| u64::from(audio.start_segment) * GRID_TICKS);
    rungs.chain(audio).min().unwrap_or(0)
}

/// How long the declared duration says the film goes on, when another pass makes the sound.
fn soundtrack_end(film: &Film) -> u64 {
    let trusted =
        film.audio.is_some() && !film.probe.duration_is_estimate && film.truncation(u64::MAX).is_none();
    if trusted {
        film.probe.duration_ms * TICKS_PER_SECOND / 1000
    } else {
        0
    }
}

struct Pass {
    pictures: Pictures,
    rungs: Rungs,
    on_grid: bool,
    /// Boundaries of the source as far as it was read.
    starts: Vec<(u64, u32)>,
    /// Nothing before this is worth filtering, except the very first picture, which opens the encoders, and the last
    /// one, which may have to be shown again behind it.
    skip_before: u64,
    skipped: Option<Frame>,
}

impl Pass {
    fn new(task: &EncodeTask, film: &Film, on_grid: bool) -> Result<Pass, Stop> {
        let settings = LaneSettings {
            frame_rate: film.probe.video.frame_rate.min(60.0),
            bt709: film.video.hdr || film.video.rgb,
            encoder_threads: task.encoder_threads,
        };
        let lanes: Vec<Lane> = task
            .rungs
            .iter()
            .map(|rung| Lane::new(rung.clone(), settings))
            .collect::<Result<_, _>>()?;
        let first_segment = lanes.iter().map(Lane::start_segment).min().unwrap_or(0);
        Ok(Pass {
            pictures: Pictures::new(film)?,
            rungs: Rungs {
                lanes,
                sizes: task.rungs.iter().map(|rung| rung.rung.clone()).collect(),
                filters: None,
            },
            on_grid,
            starts: Vec::new(),
            skip_before: if on_grid {
                u64::from(first_segment) * GRID_TICKS
            } else {
                0
            },
            skipped: None,
        })
    }

    fn packet(&mut self, film: &Film, packet: Option<&Packet>, output: &mut Output) -> Result<(), Stop> {
        if let (Some(packet), Some(cuts)) = (packet, film.cuts.as_ref())
            && let (Some(segment), Some(time)) = (cuts.begins(packet), packet.pts())
        {
            self.starts
                .push((film.video_ticks(time).max(0).cast_unsigned(), segment));
        }
        let boundaries = boundaries(self.on_grid, &self.starts);
        let (rungs, skipped, skip_before) = (&mut self.rungs, &mut self.skipped, self.skip_before);
        self.pictures.decode(film, packet, |frame| {
            let is_early = frame.pts().is_some_and(|pts| pts.cast_unsigned() < skip_before);
            if is_early && rungs.filters.is_some() {
                *skipped = Some(frame);
                return Ok(());
            }
            if let Some(skipped) = skipped.take() {
                rungs.push(film, skipped, &boundaries, output)?;
            }
            rungs.push(film, frame, &boundaries, output)
        })
    }

    /// Empties filters and encoders; answers where the film ends.
    fn finish(&mut self, film: &Film, audio_end_ticks: u64, output: &mut Output) -> Result<u64, Stop> {
        let boundaries = boundaries(self.on_grid, &self.starts);
        if let Some(skipped) = self.skipped.take() {
            self.rungs.push(film, skipped, &boundaries, output)?;
        }
        self.rungs.drain_filters(&boundaries, output)?;
        let Some(last) = self.pictures.last_ticks() else {
            return Err(Stop::refuse(
                RefusalCode::NothingDecodable,
                "No picture of this film could be decoded.",
            ));
        };
        let picture_end = self.pictures.end_ticks();
        // A little more sound than picture is normal; much more means that the last picture stays.
        let stays = self.on_grid && audio_end_ticks > last + GRID_TICKS;
        let longest = film.limits.duration_ms_max.saturating_mul(TICKS_PER_SECOND) / 1000;
        let end_ticks = if stays {
            audio_end_ticks.min(longest).max(picture_end)
        } else {
            picture_end
        };
        for lane in &mut self.rungs.lanes {
            lane.finish(end_ticks, self.on_grid, output)?;
        }
        Ok(end_ticks)
    }
}

fn boundaries(on_grid: bool, starts: &[(u64, u32)]) -> Boundaries<'_> {
    if on_grid {
        Boundaries::Grid
    } else {
        Boundaries::Source(starts)
    }
}

/// The filters, and a lane behind each of their outputs.
struct Rungs {
    lanes: Vec<Lane>,
    sizes: Vec<Rung>,
    /// Made for the pictures as they are; made again when they change in the middle of a film.
    filters: Option<(PictureShape, Graph)>,
}

impl Rungs {
    fn push(
        &mut self,
        film: &Film,
        mut frame: Frame,
        boundaries: &Boundaries<'_>,
        output: &mut Output,
    ) -> Result<(), Stop> {
        let shape = frame.picture_shape();
        if self.filters.as_ref().is_none_or(|(known, _)| *known != shape) {
            self.drain_filters(boundaries, output)?;
            let sizes: Vec<&Rung> = self.sizes.iter().collect();
            let graph = filters::ladder(shape, &film.video, film.start.interlaced, &sizes)?;
            self.filters = Some((shape, graph));
        }
        let (_, graph) = self.filters.as_mut().expect("made above");
        graph.send(Some(&mut frame))?;
        drain(graph, &mut self.lanes, boundaries, output)
    }

    fn drain_filters(&mut self, boundaries: &Boundaries<'_>, output: &mut Output) -> Result<(), Stop> {
        let Some((_, mut graph)) = self.filters.take() else {
            return Ok(());
        };
        graph.send(None)?;
        drain(&mut graph, &mut self.lanes, boundaries, output)
    }
}

/// Hands every filtered picture to its lane.
fn drain(
    graph: &mut Graph,
    lanes: &mut [Lane],
    boundaries: &Boundaries<'_>,
    output: &mut Output,
) -> Result<(), Stop> {
    for (n, lane) in lanes.iter_mut().enumerate() {
        let time_base = graph.time_base(n);
        loop {
            let mut frame = Frame::new()?;
            if !graph.receive(n, &mut frame)? {
                break;
            }
            let ticks = time_base.rescale(frame.pts().unwrap_or(0), Rational::TICKS);
            frame.set_pts(ticks);
            lane.push(frame, boundaries, output)?;
        }
    }
    Ok(())
}

//! The audio rendition: AAC in stereo, copied when it already is, on a grid of frames that every attempt shares.
//!
//! Frame n holds samples 1024·n to 1024·(n+1) of the film's time. Sound that starts late is preceded by silence, holes
//! are filled with it, so the rendition has no gaps and stays in step with the picture.

use spool_media_protocol::{
    AUDIO_RENDITION, Init, RefusalCode, RenditionKind, TARGET_SEGMENT_MS, TICKS_PER_SECOND,
};

use crate::av::{AacSettings, Decoder, Encoder, Frame, Graph, Packet, Rational, SoundShape, StreamInfo};
use crate::cmaf::{self, Track};
use crate::film::Film;
use crate::output::Output;
use crate::segments::Segments;
use crate::stop::Stop;
use crate::{aac, filters, probe};

const FRAME: u64 = 1024;
const ENCODED_RATE: u32 = 48_000;
const ENCODED_BIT_RATE: u64 = 128_000;
/// A difference between a packet's time and the running count below this is jitter (50 ms).
const JITTER_SAMPLES: u64 = 2400;

pub struct AudioLane {
    stream: StreamInfo,
    way: Way,
    writer: Writer,
    errors: u64,
    gap_ms_max: u64,
}

enum Way {
    Copy(Copying),
    Encode(Box<Encoding>),
}

impl AudioLane {
    /// None: the film has no sound that can be used.
    pub fn open(film: &Film, start_segment: u32, output: &mut Output) -> Result<Option<AudioLane>, Stop> {
        let Some(stream) = film.audio.clone() else {
            return Ok(None);
        };
        let copies = probe::is_browser_safe_audio(&stream);
        let configuration = if !copies {
            aac::low_complexity_configuration(ENCODED_RATE, 2)
        } else if stream.extradata.len() >= 2 {
            Some(stream.extradata.clone())
        } else {
            aac::low_complexity_configuration(stream.sample_rate, stream.channels)
        };
        let configuration = configuration.expect("48 kHz has one, and copied sound was checked to have one");
        let (sample_rate, channels) = if copies {
            (stream.sample_rate, stream.channels)
        } else {
            (ENCODED_RATE, 2)
        };
        let bit_rate = if copies {
            stream.bit_rate.unwrap_or(ENCODED_BIT_RATE)
        } else {
            ENCODED_BIT_RATE
        };
        let way = if copies {
            Way::Copy(Copying::new(film, &stream))
        } else {
            match film.audio_decoder(&stream) {
                Ok(decoder) => Way::Encode(Box::new(Encoding::new(decoder, start_segment)?)),
                Err(error) if error.is_out_of_memory() => return Err(error.into()),
                Err(_) => return Ok(None),
            }
        };
        let track = Track::Audio {
            channels,
            sample_rate,
            configuration: &configuration,
            bit_rate: u32::try_from(bit_rate).unwrap_or(0),
        };
        let init = Init {
            rendition: AUDIO_RENDITION.to_owned(),
            kind: RenditionKind::Audio,
            codec: "mp4a.40.2".to_owned(),
            timescale: sample_rate,
            width: 0,
            height: 0,
            frame_rate: 0.0,
            channels,
            sample_rate,
            copied: copies,
            whole: true,
        };
        output.init(init, start_segment, &cmaf::init_segment(&track, sample_rate, 0))?;
        let writer = Writer {
            segments: Segments::new(AUDIO_RENDITION, 0),
            start_segment,
            segment_samples: u64::from(sample_rate) * TARGET_SEGMENT_MS / 1000,
            sample_rate,
            next_frame: None,
        };
        Ok(Some(AudioLane {
            stream,
            way,
            writer,
            errors: 0,
            gap_ms_max: film.limits.gap_ms_max,
        }))
    }

    pub fn packet(&mut self, film: &Film, packet: &Packet, output: &mut Output) -> Result<(), Stop> {
        match &mut self.way {
            Way::Copy(copying) => {
                let Some(time) = packet.pts().or(packet.dts()) else {
                    return Ok(());
                };
                let position = film.audio_samples(&self.stream, time, self.stream.sample_rate);
                if packet.is_discarded() {
                    return Ok(());
                }
                copying.packet(packet.data(), position, self.gap_ms_max, &mut self.writer, output)
            }
            Way::Encode(encoding) => {
                match encoding.decoder.send(Some(packet)) {
                    Ok(()) => {}
                    Err(error) if error.is_out_of_memory() => return Err(error.into()),
                    Err(_) => self.errors += 1,
                }
                encoding.drain_decoder(film, &self.stream, self.gap_ms_max, &mut self.writer, output)
            }
        }
    }

    /// Ends the rendition, with silence up to `until_ticks` when the sound ended before; answers where, in ticks.
    /// A player would stop where one of two tracks has nothing.
    pub fn finish(&mut self, film: &Film, until_ticks: u64, output: &mut Output) -> Result<u64, Stop> {
        let until = until_ticks * u64::from(self.writer.sample_rate) / TICKS_PER_SECOND;
        match &mut self.way {
            Way::Encode(encoding) => {
                // A decoder that refuses to end has nothing more to give.
                let _ = encoding.decoder.send(None);
                encoding.drain_decoder(film, &self.stream, self.gap_ms_max, &mut self.writer, output)?;
                encoding.finish(until, &mut self.writer, output)?;
            }
            Way::Copy(copying) => {
                for missing in self.writer.next_frame.unwrap_or(0)..until / FRAME {
                    self.writer.push(missing, copying.silence, output)?;
                }
            }
        }
        self.writer.finish(output)
    }

    pub fn was_damaged(&self) -> bool {
        self.errors > 0
    }

    /// Where the sound that was handed over ends, in ticks.
    pub fn end_ticks(&self) -> u64 {
        self.writer.end_ticks()
    }
}

/// Puts frames of AAC into segments that begin at multiples of 4 s.
struct Writer {
    segments: Segments,
    start_segment: u32,
    segment_samples: u64,
    sample_rate: u32,
    /// The number of the frame that comes next.
    next_frame: Option<u64>,
}

impl Writer {
    /// Frames must come without holes.
    fn push(&mut self, frame: u64, data: &[u8], output: &mut Output) -> Result<(), Stop> {
        let position = frame * FRAME;
        let segment = u32::try_from(position / self.segment_samples).unwrap_or(u32::MAX);
        self.next_frame = Some(frame + 1);
        if segment < self.start_segment {
            return Ok(());
        }
        if self.segments.index() != Some(segment) {
            self.segments.begin(segment, position, output)?;
        }
        self.segments
            .push(position, true, |out| out.extend_from_slice(data));
        Ok(())
    }

    /// Takes back frames from this number on; they are few, and not sent yet.
    fn cut_at(&mut self, frame: u64) {
        if self.next_frame.is_some_and(|next| next > frame) {
            self.segments.cut_at(frame * FRAME);
            self.next_frame = Some(frame);
        }
    }

    fn finish(&mut self, output: &mut Output) -> Result<u64, Stop> {
        self.segments
            .finish(self.next_frame.unwrap_or(0) * FRAME, output)?;
        Ok(self.end_ticks())
    }

    fn end_ticks(&self) -> u64 {
        self.next_frame.unwrap_or(0) * FRAME * TICKS_PER_SECOND / u64::from(self.sample_rate)
    }
}

/// AAC that is taken over as it is.
struct Copying {
    /// How far the source's own frames lie off the grid, in samples; at most half a frame.
    offset: i64,
    silence: &'static [u8],
}

impl Copying {
    fn new(film: &Film, stream: &StreamInfo) -> Copying {
        let first = film
            .start
            .audio_time
            .map_or(0, |time| film.audio_samples(stream, time, stream.sample_rate));
        let frame = FRAME.cast_signed();
        let offset = (first + frame / 2).rem_euclid(frame) - frame / 2;
        // A frame of AAC-LC without sound, for one channel and for two.
        let silence: &[u8] = match stream.channels {
            1 => &[0x00, 0xc8, 0x00, 0x80, 0x23, 0x80],
            _ => &[0x21, 0x00, 0x49, 0x90, 0x02, 0x19, 0x00, 0x23, 0x80],
        };
        Copying { offset, silence }
    }

    fn packet(
        &mut self,
        data: &[u8],
        position: i64,
        gap_ms_max: u64,
        writer: &mut Writer,
        output: &mut Output,
    ) -> Result<(), Stop> {
        let half = FRAME.cast_signed() / 2;
        let number = (position - self.offset + half).div_euclid(FRAME.cast_signed());
        let Ok(mut number) = u64::try_from(number) else {
            return Ok(());
        };
        let first_wanted = u64::from(writer.start_segment) * writer.segment_samples / FRAME;
        let next = writer.next_frame.unwrap_or(number.min(first_wanted));
        check_gap(
            number.saturating_sub(next) * FRAME,
            u64::from(writer.sample_rate),
            gap_ms_max,
        )?;
        if number + 2 < next {
            // Heard already.
            return Ok(());
        }
        if number <= next + 1 {
            // Rounding of the container's clock; frames follow each other.
            number = next;
        }
        for missing in next..number {
            writer.push(missing, self.silence, output)?;
        }
        writer.push(number, aac::without_adts(data), output)
    }
}

fn check_gap(samples: u64, sample_rate: u64, gap_ms_max: u64) -> Result<(), Stop> {
    if samples * 1000 / sample_rate.max(1) <= gap_ms_max {
        return Ok(());
    }
    Err(Stop::refuse(
        RefusalCode::GapTooLong,
        "The film has a hole in it: its sound pauses for more than ten minutes.",
    ))
}

/// Sound that is decoded, mixed to stereo and encoded.
struct Encoding {
    decoder: Decoder,
    frame: Frame,
    filters: Option<(SoundShape, Graph)>,
    encoder: Encoder,
    packet: Packet,
    /// Sound that does not fill a frame yet, one buffer per channel.
    waiting: [Vec<f32>; 2],
    /// The position of the first sample that is waiting.
    position: u64,
    /// Some sound has come, not only silence.
    has_sound: bool,
    /// Where the last sound ends by its own clock.
    heard_until: u64,
}

impl Encoding {
    fn new(decoder: Decoder, start_segment: u32) -> Result<Encoding, Stop> {
        // The encoder needs the two frames before the first wanted one to sound as if it had never stopped.
        let first_frame =
            (u64::from(start_segment) * u64::from(ENCODED_RATE) * TARGET_SEGMENT_MS / 1000) / FRAME;
        Ok(Encoding {
            decoder,
            frame: Frame::new()?,
            filters: None,
            encoder: Encoder::aac(AacSettings {
                bit_rate: ENCODED_BIT_RATE,
            })?,
            packet: Packet::new()?,
            waiting: [Vec::new(), Vec::new()],
            position: first_frame.saturating_sub(2) * FRAME,
            has_sound: false,
            heard_until: 0,
        })
    }

    fn drain_decoder(
        &mut self,
        film: &Film,
        stream: &StreamInfo,
        gap_ms_max: u64,
        writer: &mut Writer,
        output: &mut Output,
    ) -> Result<(), Stop> {
        loop {
            match self.decoder.receive(&mut self.frame) {
                Ok(true) => {}
                Ok(false) => return Ok(()),
                Err(error) if error.is_out_of_memory() => return Err(error.into()),
                Err(_) => return Ok(()),
            }
            self.frame.settle_layout();
            let shape = self.frame.sound_shape();
            if shape.sample_rate == 0 || shape.layout_mask == 0 {
                continue;
            }
            if self.filters.as_ref().is_none_or(|(known, _)| *known != shape) {
                if let Some((_, mut old)) = self.filters.take() {
                    old.send(None)?;
                    self.drain_filters(&mut old, gap_ms_max, writer, output)?;
                }
                self.filters = Some((shape, filters::stereo(shape)?));
            }
            let samples = match self.frame.best_time().or(self.frame.pts()) {
                Some(time) => film.audio_samples(stream, time, shape.sample_rate),
                None => continue,
            };
            self.frame.set_pts(samples);
            let Some((shape, mut graph)) = self.filters.take() else {
                continue;
            };
            graph.send(Some(&mut self.frame))?;
            self.drain_filters(&mut graph, gap_ms_max, writer, output)?;
            self.filters = Some((shape, graph));
        }
    }

    fn drain_filters(
        &mut self,
        graph: &mut Graph,
        gap_ms_max: u64,
        writer: &mut Writer,
        output: &mut Output,
    ) -> Result<(), Stop> {
        let mut frame = Frame::new()?;
        while graph.receive(0, &mut frame)? {
            let samples = Rational {
                num: 1,
                den: ENCODED_RATE.cast_signed(),
            };
            let position = graph.time_base(0).rescale(frame.pts().unwrap_or(0), samples);
            self.append(position, &frame, gap_ms_max, writer, output)?;
            frame.clear();
        }
        Ok(())
    }

    /// Puts sound where it belongs: silence before it when it comes late, cut when it was heard already.
    fn append(
        &mut self,
        position: i64,
        frame: &Frame,
        gap_ms_max: u64,
        writer: &mut Writer,
        output: &mut Output,
    ) -> Result<(), Stop> {
        let end = (self.position + self.waiting[0].len() as u64).cast_signed();
        // The very first sound is placed exactly; later, small differences are jitter.
        let tolerated = if self.has_sound {
            JITTER_SAMPLES.cast_signed()
        } else {
            0
        };
        let late = position.saturating_sub(end);
        if late > tolerated {
            check_gap(late.cast_unsigned(), u64::from(ENCODED_RATE), gap_ms_max)?;
            self.append_silence(late.cast_unsigned(), writer, output)?;
        }
        let ends = position.saturating_add(frame.samples() as i64);
        self.heard_until = self.heard_until.max(u64::try_from(ends).unwrap_or(0));
        let heard_already = if late < -tolerated { late.unsigned_abs() } else { 0 };
        let skip = usize::try_from(heard_already)
            .unwrap_or(usize::MAX)
            .min(frame.samples());
        self.has_sound |= skip < frame.samples();
        for (channel, waiting) in self.waiting.iter_mut().enumerate() {
            waiting.extend_from_slice(frame.sound(channel).get(skip..).unwrap_or(&[]));
        }
        self.encode_whole_frames(writer, output)
    }

    /// A second at a time, so that a long pause takes no memory.
    fn append_silence(
        &mut self,
        mut samples: u64,
        writer: &mut Writer,
        output: &mut Output,
    ) -> Result<(), Stop> {
        while samples > 0 {
            let now = samples.min(u64::from(ENCODED_RATE));
            for waiting in &mut self.waiting {
                waiting.resize(waiting.len() + now as usize, 0.0);
            }
            samples -= now;
            self.encode_whole_frames(writer, output)?;
        }
        Ok(())
    }

    fn encode_whole_frames(&mut self, writer: &mut Writer, output: &mut Output) -> Result<(), Stop> {
        let frame_samples = FRAME as usize;
        let whole = self.waiting[0].len() / frame_samples;
        for n in 0..whole {
            let mut frame = Frame::silence(frame_samples)?;
            for (channel, waiting) in self.waiting.iter().enumerate() {
                frame.copy_sound(channel, &waiting[n * frame_samples..(n + 1) * frame_samples]);
            }
            frame.set_pts(self.position.cast_signed());
            self.position += FRAME;
            self.encoder.send(Some(&mut frame))?;
            self.collect(writer, output)?;
        }
        for waiting in &mut self.waiting {
            waiting.drain(..whole * frame_samples);
        }
        Ok(())
    }

    /// The encoder's first packet lies before its first frame; it and those of earlier segments are not kept.
    fn collect(&mut self, writer: &mut Writer, output: &mut Output) -> Result<(), Stop> {
        while self.encoder.receive(&mut self.packet)? {
            if let Some(position) = self.packet.pts().and_then(|pts| u64::try_from(pts).ok()) {
                writer.push(position / FRAME, self.packet.data(), output)?;
            }
        }
        Ok(())
    }

    /// Ends with a whole frame where the sound ended by its own clock, or with silence at `until` (in samples) if that
    /// is later. How much jitter was passed over on the way must not show: every attempt ends at the same frame.
    fn finish(&mut self, until: u64, writer: &mut Writer, output: &mut Output) -> Result<(), Stop> {
        let frames = self.heard_until.max(until).div_ceil(FRAME);
        let waiting_until = self.position + self.waiting[0].len() as u64;
        self.append_silence((frames * FRAME).saturating_sub(waiting_until), writer, output)?;
        self.encoder.send(None)?;
        self.collect(writer, output)?;
        writer.cut_at(frames);
        Ok(())
    }
}

//! Collects the samples of one rendition and sends each segment the moment it is complete.

use crate::cmaf::{self, Sample};
use crate::output::Output;
use crate::stop::Stop;

pub struct Segments {
    rendition: String,
    /// See [`cmaf::media_segment`].
    delay: u32,
    /// The segment that is being collected; none before the first one that is wanted.
    index: Option<u32>,
    samples: Vec<Sample>,
    data: Vec<u8>,
}

impl Segments {
    pub fn new(rendition: &str, delay: u32) -> Self {
        Segments {
            rendition: rendition.to_owned(),
            delay,
            index: None,
            samples: Vec::new(),
            data: Vec::new(),
        }
    }

    /// Ends the current segment where the next one starts.
    pub fn begin(&mut self, index: u32, start_ticks: u64, output: &mut Output) -> Result<(), Stop> {
        self.finish(start_ticks, output)?;
        self.index = Some(index);
        Ok(())
    }

    /// The segment that is being collected.
    pub fn index(&self) -> Option<u32> {
        self.index
    }

    pub fn bytes(&self) -> usize {
        self.data.len()
    }

    /// Adds a sample in decode order; `append` writes its bytes.
    pub fn push(&mut self, pts: u64, is_key: bool, append: impl FnOnce(&mut Vec<u8>)) {
        let before = self.data.len();
        append(&mut self.data);
        let bytes = u32::try_from(self.data.len() - before).expect("a packet is shorter than 2 GiB");
        self.samples.push(Sample { bytes, pts, is_key });
    }

    /// Sends what has been collected, if anything, as a segment that ends here.
    pub fn finish(&mut self, end_ticks: u64, output: &mut Output) -> Result<(), Stop> {
        let samples = std::mem::take(&mut self.samples);
        let capacity = self.data.len();
        let data = std::mem::replace(&mut self.data, Vec::with_capacity(capacity));
        match self.index.take() {
            Some(index) if !samples.is_empty() => {
                output.segment(
                    &self.rendition,
                    &cmaf::media_segment(index, &samples, end_ticks, self.delay, data),
                )?;
            }
            _ => {}
        }
        Ok(())
    }

    /// Takes back the last samples, those that are shown at a time or later.
    pub fn cut_at(&mut self, pts: u64) {
        while self.samples.last().is_some_and(|sample| sample.pts >= pts) {
            let bytes = self.samples.pop().map_or(0, |sample| sample.bytes as usize);
            self.data.truncate(self.data.len().saturating_sub(bytes));
        }
    }

    /// Drops what has been collected.
    pub fn abandon(&mut self) {
        self.index = None;
        self.samples.clear();
        self.data.clear();
    }
}

/// How long pictures are held back to bring them in order: the frames that are reordered, at the usual rate, and a
/// little for clocks that round to milliseconds.
pub fn reordering_delay(frames: u32, frame_ticks: u64) -> u32 {
    const ROUNDING: u64 = 180;
    const LONGEST: u64 = 45_000;
    if frames == 0 {
        return 0;
    }
    u32::try_from((u64::from(frames) * frame_ticks + ROUNDING).min(LONGEST)).expect("half a second at most")
}

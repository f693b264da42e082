//! A decoded picture, or a run of decoded sound.
#![expect(unsafe_code, reason = "owns an AVFrame")]

use std::{ptr, slice};

use ffmpeg_next::ffi;

use super::error::{AvResult, check, check_pointer};
use super::packet::some_time;

pub struct Frame(*mut ffi::AVFrame);

/// What a filter graph is built for; a frame that differs needs another graph.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct PictureShape {
    pub width: u32,
    pub height: u32,
    pub format: i32,
    /// Black is 0 and not 16.
    pub full_range: bool,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct SoundShape {
    pub sample_rate: u32,
    pub channels: u32,
    pub format: i32,
    pub layout_mask: u64,
}

impl Frame {
    pub fn new() -> AvResult<Self> {
        // SAFETY: allocates; checked for null.
        check_pointer(unsafe { ffi::av_frame_alloc() }, "making room for a frame").map(Frame)
    }

    /// Stereo, 48 kHz, planar floats, all zero.
    pub fn silence(samples: usize) -> AvResult<Self> {
        let frame = Frame::new()?;
        // SAFETY: the fields describe a frame that `av_frame_get_buffer` then allocates.
        unsafe {
            let raw = &mut *frame.0;
            raw.format = ffi::AVSampleFormat::AV_SAMPLE_FMT_FLTP as i32;
            raw.sample_rate = 48_000;
            raw.nb_samples = i32::try_from(samples).unwrap_or(0);
            ffi::av_channel_layout_default(&raw mut raw.ch_layout, 2);
            check(ffi::av_frame_get_buffer(frame.0, 0), "making room for sound")?;
        }
        let mut frame = frame;
        for channel in 0..2 {
            frame.sound_mut(channel).fill(0.0);
        }
        Ok(frame)
    }

    /// Another owner of the same picture.
    pub fn share(&self) -> AvResult<Self> {
        // SAFETY: adds a reference to the same buffers; checked for null.
        check_pointer(unsafe { ffi::av_frame_clone(self.0) }, "keeping a frame").map(Frame)
    }

    pub(super) fn as_mut_ptr(&mut self) -> *mut ffi::AVFrame {
        self.0
    }

    pub(super) fn colours(&self) -> &ffi::AVFrame {
        self.raw()
    }

    fn raw(&self) -> &ffi::AVFrame {
        // SAFETY: allocated in `new`, freed only in `drop`.
        unsafe { &*self.0 }
    }

    fn raw_mut(&mut self) -> &mut ffi::AVFrame {
        // SAFETY: as in `raw`, and borrowed mutably.
        unsafe { &mut *self.0 }
    }

    pub fn pts(&self) -> Option<i64> {
        some_time(self.raw().pts)
    }

    pub fn set_pts(&mut self, pts: i64) {
        self.raw_mut().pts = pts;
    }

    /// The time the decoder believes in, also where packets carry none.
    pub fn best_time(&self) -> Option<i64> {
        some_time(self.raw().best_effort_timestamp)
    }

    pub fn duration(&self) -> i64 {
        self.raw().pkt_duration.max(0)
    }

    pub fn picture_shape(&self) -> PictureShape {
        let raw = self.raw();
        PictureShape {
            width: u32::try_from(raw.width).unwrap_or(0),
            height: u32::try_from(raw.height).unwrap_or(0),
            format: raw.format,
            full_range: raw.color_range == ffi::AVColorRange::AVCOL_RANGE_JPEG,
        }
    }

    pub fn sound_shape(&self) -> SoundShape {
        let raw = self.raw();
        let native = raw.ch_layout.order == ffi::AVChannelOrder::AV_CHANNEL_ORDER_NATIVE;
        SoundShape {
            sample_rate: u32::try_from(raw.sample_rate).unwrap_or(0),
            channels: u32::try_from(raw.ch_layout.nb_channels).unwrap_or(0),
            format: raw.format,
            // SAFETY: the mask is the active member of the union when the order is native.
            layout_mask: if native {
                unsafe { raw.ch_layout.u.mask }
            } else {
                0
            },
        }
    }

    /// Gives sound whose channels have no names the usual ones for their number.
    pub fn settle_layout(&mut self) {
        let raw = self.raw_mut();
        if raw.ch_layout.order != ffi::AVChannelOrder::AV_CHANNEL_ORDER_NATIVE
            && raw.ch_layout.nb_channels > 0
        {
            // SAFETY: overwrites a layout that owns nothing (only custom orders do, which decoders of our list never
            // make) with a default one.
            unsafe { ffi::av_channel_layout_default(&raw mut raw.ch_layout, raw.ch_layout.nb_channels) };
        }
    }

    pub fn is_interlaced(&self) -> bool {
        self.raw().interlaced_frame != 0
    }

    pub fn samples(&self) -> usize {
        usize::try_from(self.raw().nb_samples).unwrap_or(0)
    }

    /// Asks the encoder for a keyframe here, or leaves the choice to it.
    pub fn force_keyframe(&mut self, force: bool) {
        self.raw_mut().pict_type = if force {
            ffi::AVPictureType::AV_PICTURE_TYPE_I
        } else {
            ffi::AVPictureType::AV_PICTURE_TYPE_NONE
        };
    }

    /// One channel of planar float sound; empty for anything else.
    pub fn sound(&self, channel: usize) -> &[f32] {
        let raw = self.raw();
        let planar_floats = raw.format == ffi::AVSampleFormat::AV_SAMPLE_FMT_FLTP as i32;
        if !planar_floats || channel >= self.sound_shape().channels as usize || channel >= 8 {
            return &[];
        }
        let plane = raw.data[channel];
        if plane.is_null() {
            return &[];
        }
        // SAFETY: a planar float frame has `nb_samples` floats in the plane of each of its channels, aligned.
        unsafe { slice::from_raw_parts(plane.cast::<f32>(), self.samples()) }
    }

    /// As [`Frame::sound`]; only for frames that no one else shares.
    fn sound_mut(&mut self, channel: usize) -> &mut [f32] {
        let samples = self.sound(channel).len();
        if samples == 0 {
            return &mut [];
        }
        // SAFETY: as in `sound`; called on frames just allocated, whose buffers are referenced once.
        unsafe { slice::from_raw_parts_mut(self.raw_mut().data[channel].cast::<f32>(), samples) }
    }

    /// Fills a frame from `silence` with sound.
    pub fn copy_sound(&mut self, channel: usize, from: &[f32]) {
        let to = self.sound_mut(channel);
        let samples = to.len().min(from.len());
        to[..samples].copy_from_slice(&from[..samples]);
    }

    /// The mean of the first plane's rows, sampled: how bright a YUV or grey picture is, 0 to 255.
    pub fn brightness(&self) -> u32 {
        let raw = self.raw();
        let (shape, stride) = (self.picture_shape(), raw.linesize[0]);
        let Ok(stride) = usize::try_from(stride) else {
            return 255;
        };
        let (width, height) = ((shape.width as usize).min(stride), shape.height as usize);
        if raw.data[0].is_null() || width == 0 || height == 0 {
            return 255;
        }
        let (mut sum, mut count) = (0u64, 0u64);
        for row in (0..height).step_by((height / 32).max(1)) {
            // SAFETY: each row of the first plane has `linesize` bytes, of which `width` are looked at.
            let row = unsafe { slice::from_raw_parts(raw.data[0].add(row * stride), width) };
            sum += row.iter().map(|&luma| u64::from(luma)).sum::<u64>();
            count += width as u64;
        }
        u32::try_from(sum / count.max(1)).unwrap_or(255)
    }

    pub fn clear(&mut self) {
        // SAFETY: drops the references; the frame itself stays allocated.
        unsafe { ffi::av_frame_unref(self.0) }
    }
}

impl Drop for Frame {
    fn drop(&mut self) {
        // SAFETY: allocated in `new` or `share`, freed once.
        unsafe { ffi::av_frame_free(&raw mut self.0) }
        self.0 = ptr::null_mut();
    }
}

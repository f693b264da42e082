//! The film on stdin, opened by the demuxer that its content asks for and by no other.
#![expect(unsafe_code, reason = "owns an AVFormatContext with its own input")]

use std::ffi::{CString, c_void};
use std::fs::File;
use std::mem::ManuallyDrop;
use std::os::fd::FromRawFd;
use std::os::unix::fs::FileExt;
use std::sync::atomic::{AtomicBool, Ordering};
use std::{io, ptr, slice};

use ffmpeg_next::ffi;
use spool_media_protocol::Container;

use super::error::{AvError, AvResult, check, check_pointer};
use super::packet::{Packet, some_time};
use super::stream::StreamInfo;

const BUFFER_BYTES: usize = 128 << 10;

/// Reading stdin failed. FFmpeg has the same error for a file that ends too early, which is no fault of the storage.
static STORAGE_FAILED: AtomicBool = AtomicBool::new(false);

pub(super) fn storage_failed() -> bool {
    STORAGE_FAILED.load(Ordering::Relaxed)
}

/// The open file, read at a position of our own so that the descriptor's is never moved.
struct Source {
    file: ManuallyDrop<File>,
    position: u64,
    size: u64,
}

pub struct Input {
    context: *mut ffi::AVFormatContext,
    io: *mut ffi::AVIOContext,
    /// Referred to by `io`; freed after it.
    source: *mut Source,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct IndexEntry {
    /// In the stream's time base: decoding time in MP4, presentation time in Matroska.
    pub time: i64,
    pub is_key: bool,
    /// Outside an edit list: decoded, not shown.
    pub is_discarded: bool,
    /// The first byte after the sample, when the index knows its size.
    pub end_byte: u64,
}

/// The first bytes of stdin and its size, read without FFmpeg.
pub fn first_bytes(count: usize) -> io::Result<(Vec<u8>, u64)> {
    let source = Source::stdin()?;
    let mut bytes = vec![0; count];
    let mut filled = 0;
    while filled < count {
        match source.file.read_at(&mut bytes[filled..], filled as u64)? {
            0 => break,
            read => filled += read,
        }
    }
    bytes.truncate(filled);
    Ok((bytes, source.size))
}

impl Source {
    fn stdin() -> io::Result<Source> {
        // SAFETY: descriptor 0 is open for the life of the process, and is not closed by this owner.
        let file = ManuallyDrop::new(unsafe { File::from_raw_fd(0) });
        let metadata = file.metadata()?;
        if !metadata.is_file() {
            return Err(io::Error::new(
                io::ErrorKind::InvalidInput,
                "stdin must be a regular file",
            ));
        }
        Ok(Source {
            size: metadata.len(),
            file,
            position: 0,
        })
    }
}

impl Input {
    /// Reads the header. `decoders` are the only decoders that reading may open, comma-separated.
    pub fn open(container: Container, decoders: &str) -> AvResult<Input> {
        let source =
            Source::stdin().map_err(|_| AvError::new(ffi::AVERROR(libc::EIO), "looking at stdin"))?;
        let source = Box::into_raw(Box::new(source));
        let mut input = Input {
            context: ptr::null_mut(),
            io: ptr::null_mut(),
            source,
        };
        input.make_io()?;
        input.make_context(container, decoders)?;
        input.open_header(container)?;
        Ok(input)
    }

    fn make_io(&mut self) -> AvResult<()> {
        // SAFETY: the buffer is FFmpeg's own; the callbacks get the source, which outlives the context (see `drop`).
        unsafe {
            let buffer = check_pointer(ffi::av_malloc(BUFFER_BYTES), "making room for input")?;
            self.io = ffi::avio_alloc_context(
                buffer.cast(),
                BUFFER_BYTES as i32,
                0,
                self.source.cast(),
                Some(read_source),
                None,
                Some(seek_source),
            );
            if self.io.is_null() {
                ffi::av_free(buffer);
                return Err(AvError::out_of_memory("making room for input"));
            }
        }
        Ok(())
    }

    fn make_context(&mut self, container: Container, decoders: &str) -> AvResult<()> {
        let decoders = CString::new(decoders).expect("codec names have no zero bytes");
        let demuxer = CString::new(container.demuxer()).expect("demuxer names have no zero bytes");
        // SAFETY: the context is ours; the strings are copied into FFmpeg's own memory, freed with the context.
        unsafe {
            self.context = check_pointer(ffi::avformat_alloc_context(), "making room for a demuxer")?;
            let context = &mut *self.context;
            context.pb = self.io;
            context.io_open = Some(open_nothing);
            context.codec_whitelist = ffi::av_strdup(decoders.as_ptr());
            context.format_whitelist = ffi::av_strdup(demuxer.as_ptr());
            context.protocol_whitelist = ffi::av_strdup(c"".as_ptr());
            context.max_index_size = 16 << 20;
            context.flags |= ffi::AVFMT_FLAG_CUSTOM_IO;
        }
        Ok(())
    }

    fn open_header(&mut self, container: Container) -> AvResult<()> {
        let demuxer = CString::new(container.demuxer()).expect("demuxer names have no zero bytes");
        // SAFETY: names the demuxer, so nothing is probed; on failure FFmpeg frees the context and nulls our pointer.
        unsafe {
            let format = ffi::av_find_input_format(demuxer.as_ptr());
            if format.is_null() {
                return Err(AvError::new(
                    ffi::AVERROR_DEMUXER_NOT_FOUND,
                    "finding the demuxer",
                ));
            }
            let mut options = ptr::null_mut();
            ffi::av_dict_set(&raw mut options, c"ignore_chapters".as_ptr(), c"1".as_ptr(), 0);
            let opened =
                ffi::avformat_open_input(&raw mut self.context, c"".as_ptr(), format, &raw mut options);
            ffi::av_dict_free(&raw mut options);
            check(opened, "reading the header").map(|_| ())
        }
    }

    /// Reads and decodes a little until the tracks are known.
    pub fn find_stream_facts(&mut self) -> AvResult<()> {
        // SAFETY: the context is open.
        check(
            unsafe { ffi::avformat_find_stream_info(self.context, ptr::null_mut()) },
            "looking at the tracks",
        )
        .map(|_| ())
    }

    fn raw(&self) -> &ffi::AVFormatContext {
        // SAFETY: open as long as `self` lives.
        unsafe { &*self.context }
    }

    fn raw_streams(&self) -> &[*mut ffi::AVStream] {
        let raw = self.raw();
        if raw.streams.is_null() {
            return &[];
        }
        // SAFETY: `streams` points to `nb_streams` live streams.
        unsafe { slice::from_raw_parts(raw.streams, raw.nb_streams as usize) }
    }

    pub fn streams(&self) -> Vec<StreamInfo> {
        // SAFETY: live streams of this open input.
        self.raw_streams()
            .iter()
            .map(|&stream| unsafe { StreamInfo::read(stream) })
            .collect()
    }

    /// Only these tracks are read from now on.
    pub fn keep_only(&mut self, streams: &[usize]) {
        for (index, &stream) in self.raw_streams().iter().enumerate() {
            let discard = if streams.contains(&index) {
                ffi::AVDiscard::AVDISCARD_DEFAULT
            } else {
                ffi::AVDiscard::AVDISCARD_ALL
            };
            // SAFETY: a live stream of this input.
            unsafe { (*stream).discard = discard };
        }
    }

    /// Of the whole file, in microseconds, as declared or estimated by the demuxer.
    pub fn duration_us(&self) -> Option<i64> {
        some_time(self.raw().duration).filter(|&duration| duration > 0)
    }

    pub fn bytes(&self) -> u64 {
        // SAFETY: the source lives as long as `self`; only its size is read.
        unsafe { (*self.source).size }
    }

    /// How far reading has come, in bytes of the file.
    pub fn bytes_position(&self) -> u64 {
        // SAFETY: as in `bytes`.
        unsafe { (*self.source).position }
    }

    /// The index that the container has of a track, if it has one.
    pub fn index(&self, stream: usize) -> Vec<IndexEntry> {
        let Some(&stream) = self.raw_streams().get(stream) else {
            return Vec::new();
        };
        // SAFETY: a live stream; entries are valid until the next read or seek, and are copied at once.
        unsafe {
            let count = ffi::avformat_index_get_entries_count(stream);
            (0..count)
                .map_while(|n| ffi::avformat_index_get_entry(stream, n).as_ref())
                .map(|entry| IndexEntry {
                    time: entry.timestamp,
                    is_key: entry.flags() & ffi::AVINDEX_KEYFRAME != 0,
                    is_discarded: entry.flags() & ffi::AVINDEX_DISCARD_FRAME != 0,
                    end_byte: u64::try_from(entry.pos).unwrap_or(0)
                        + u64::try_from(entry.size()).unwrap_or(0),
                })
                .collect()
        }
    }

    /// The next packet of the kept tracks; `false` at the end.
    pub fn read(&mut self, packet: &mut Packet) -> AvResult<bool> {
        packet.clear();
        // SAFETY: both are live and ours.
        match check(
            unsafe { ffi::av_read_frame(self.context, packet.as_mut_ptr()) },
            "reading the film",
        ) {
            Ok(_) => Ok(true),
            Err(error) if error.is_end() => Ok(false),
            Err(error) => Err(error),
        }
    }

    /// Goes to the last keyframe at or before a time of the track's own time base.
    pub fn seek(&mut self, stream: usize, time: i64) -> AvResult<()> {
        let stream = i32::try_from(stream).expect("fewer tracks than that");
        // SAFETY: the context is open.
        check(
            unsafe { ffi::av_seek_frame(self.context, stream, time, ffi::AVSEEK_FLAG_BACKWARD) },
            "going to a time in the film",
        )
        .map(|_| ())
    }

    /// The codec parameters of a track, for opening its decoder.
    pub(super) fn parameters(&self, stream: usize) -> Option<*const ffi::AVCodecParameters> {
        // SAFETY: a live stream of this input.
        self.raw_streams()
            .get(stream)
            .map(|&stream| unsafe { (*stream).codecpar.cast_const() })
    }
}

impl Drop for Input {
    fn drop(&mut self) {
        // SAFETY: each is freed once, the source last because closing may still read. A context that failed to open
        // was freed by FFmpeg, which set the pointer to null; with custom input the buffer and `io` stay ours.
        unsafe {
            ffi::avformat_close_input(&raw mut self.context);
            if !self.io.is_null() {
                ffi::av_freep((&raw mut (*self.io).buffer).cast());
                ffi::avio_context_free(&raw mut self.io);
            }
            drop(Box::from_raw(self.source));
        }
    }
}

unsafe extern "C" fn read_source(opaque: *mut c_void, buffer: *mut u8, length: i32) -> i32 {
    // SAFETY: FFmpeg calls this with the source given to it and a buffer of `length` bytes, from one thread at a time.
    let (source, buffer) = unsafe {
        (
            &mut *opaque.cast::<Source>(),
            slice::from_raw_parts_mut(buffer, usize::try_from(length).unwrap_or(0)),
        )
    };
    match source.file.read_at(buffer, source.position) {
        Ok(0) => ffi::AVERROR_EOF,
        Ok(read) => {
            source.position += read as u64;
            i32::try_from(read).unwrap_or(i32::MAX)
        }
        Err(_) => {
            STORAGE_FAILED.store(true, Ordering::Relaxed);
            ffi::AVERROR(libc::EIO)
        }
    }
}

unsafe extern "C" fn seek_source(opaque: *mut c_void, offset: i64, whence: i32) -> i64 {
    // SAFETY: as in `read_source`.
    let source = unsafe { &mut *opaque.cast::<Source>() };
    let size = i64::try_from(source.size).unwrap_or(i64::MAX);
    let position = match whence & !ffi::AVSEEK_FORCE {
        libc::SEEK_SET => Some(offset),
        libc::SEEK_CUR => i64::try_from(source.position)
            .ok()
            .and_then(|here| here.checked_add(offset)),
        libc::SEEK_END => size.checked_add(offset),
        whence if whence == ffi::AVSEEK_SIZE => return size,
        _ => None,
    };
    match position.and_then(|position| u64::try_from(position).ok()) {
        Some(position) => {
            source.position = position;
            position.cast_signed()
        }
        None => i64::from(ffi::AVERROR(libc::EINVAL)),
    }
}

/// A film may name other files; none is ever opened.
unsafe extern "C" fn open_nothing(
    _context: *mut ffi::AVFormatContext,
    _io: *mut *mut ffi::AVIOContext,
    _url: *const libc::c_char,
    _flags: i32,
    _options: *mut *mut ffi::AVDictionary,
) -> i32 {
    ffi::AVERROR(libc::EACCES)
}

//! A filter graph with one input and any number of outputs.
#![expect(unsafe_code, reason = "owns an AVFilterGraph")]

use std::ffi::CString;
use std::ptr;

use ffmpeg_next::ffi;

use super::error::{AvError, AvResult, check, check_pointer};
use super::stream::rational;
use super::{Frame, Rational};

pub struct Graph {
    graph: *mut ffi::AVFilterGraph,
    source: *mut ffi::AVFilterContext,
    sinks: Vec<*mut ffi::AVFilterContext>,
}

impl Graph {
    /// Builds from FFmpeg's own notation: one source named `in` (`buffer@in` or `abuffer@in`) and sinks `out0`,
    /// `out1`… (`buffersink@out0` or `abuffersink@out0`).
    pub fn new(description: &str, sound: bool, outputs: usize) -> AvResult<Graph> {
        let prefix = if sound { "a" } else { "" };
        // SAFETY: the graph is ours and freed in `drop`; filters belong to it and live as long.
        unsafe {
            let pointer = check_pointer(ffi::avfilter_graph_alloc(), "making room for filters")?;
            let mut graph = Graph {
                graph: pointer,
                source: ptr::null_mut(),
                sinks: Vec::new(),
            };
            let description = CString::new(description).expect("we write descriptions without zero bytes");
            let (mut open_inputs, mut open_outputs) = (ptr::null_mut(), ptr::null_mut());
            let parsed = ffi::avfilter_graph_parse2(
                pointer,
                description.as_ptr(),
                &raw mut open_inputs,
                &raw mut open_outputs,
            );
            ffi::avfilter_inout_free(&raw mut open_inputs);
            ffi::avfilter_inout_free(&raw mut open_outputs);
            check(parsed, "setting up filters")?;
            check(
                ffi::avfilter_graph_config(pointer, ptr::null_mut()),
                "connecting filters",
            )?;
            graph.source = graph.find(&format!("{prefix}buffer@in"))?;
            for n in 0..outputs {
                let sink = graph.find(&format!("{prefix}buffersink@out{n}"))?;
                graph.sinks.push(sink);
            }
            Ok(graph)
        }
    }

    fn find(&self, name: &str) -> AvResult<*mut ffi::AVFilterContext> {
        let name = CString::new(name).expect("our names have no zero bytes");
        // SAFETY: looks through the graph's own filters.
        let found = unsafe { ffi::avfilter_graph_get_filter(self.graph, name.as_ptr()) };
        if found.is_null() {
            return Err(AvError::new(ffi::AVERROR_FILTER_NOT_FOUND, "finding a filter"));
        }
        Ok(found)
    }

    /// Hands over a frame, which is left empty; `None` says that there are no more.
    pub fn send(&mut self, frame: Option<&mut Frame>) -> AvResult<()> {
        let frame = frame.map_or(ptr::null_mut(), Frame::as_mut_ptr);
        // SAFETY: the source is a buffer source of this graph; the frame is live or null.
        check(
            unsafe { ffi::av_buffersrc_add_frame_flags(self.source, frame, 0) },
            "filtering",
        )
        .map(|_| ())
    }

    /// The next frame of one output; `false` when more input is wanted or the end is reached.
    pub fn receive(&mut self, output: usize, frame: &mut Frame) -> AvResult<bool> {
        // SAFETY: the sink is a buffer sink of this graph.
        match check(
            unsafe { ffi::av_buffersink_get_frame(self.sinks[output], frame.as_mut_ptr()) },
            "filtering",
        ) {
            Ok(_) => Ok(true),
            Err(error) if error.is_again() || error.is_end() => Ok(false),
            Err(error) => Err(error),
        }
    }

    pub fn time_base(&self, output: usize) -> Rational {
        // SAFETY: as in `receive`; the graph is configured.
        rational(unsafe { ffi::av_buffersink_get_time_base(self.sinks[output]) })
    }
}

impl Drop for Graph {
    fn drop(&mut self) {
        // SAFETY: allocated in `new`, freed once, with all its filters.
        unsafe { ffi::avfilter_graph_free(&raw mut self.graph) }
    }
}

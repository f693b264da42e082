//! The filters between decoder and encoders: deinterlace, turn, tone-map, split, scale.

use spool_media_protocol::Rung;

use crate::av::{AvError, Graph, PictureShape, SoundShape, StreamInfo};

/// From decoded pictures (times in ticks) to one output per rung, 8-bit 4:2:0.
pub fn ladder(
    shape: PictureShape,
    video: &StreamInfo,
    interlaced: bool,
    rungs: &[&Rung],
) -> Result<Graph, AvError> {
    let mut chain = vec![source(shape)];
    if interlaced {
        chain.push("bwdif=mode=send_frame:deint=interlaced".to_owned());
    }
    chain.extend(orientation(video));
    if video.hdr {
        // The most expensive step, so the picture is made no larger than the largest rung first.
        let largest = rungs
            .iter()
            .max_by_key(|rung| rung.height)
            .expect("a task has rungs");
        chain.extend(tone_map(largest.width, largest.height));
    }
    chain.push(format!("split={}", rungs.len()));
    let mut description = chain.join(",");
    for n in 0..rungs.len() {
        description += &format!("[s{n}]");
    }
    for (n, rung) in rungs.iter().enumerate() {
        let (width, height, (aspect_width, aspect_height)) = (rung.width, rung.height, rung.sample_aspect);
        // Asking for a range that a picture already has would cost a copy of each at its own size.
        let matrix = match (video.rgb, shape.full_range && !video.hdr) {
            (true, _) => ":out_color_matrix=bt709:out_range=tv",
            (false, true) => ":out_range=tv",
            (false, false) => "",
        };
        description += &format!(
            ";[s{n}]scale={width}:{height}:flags=bicubic{matrix},format=yuv420p,\
             setsar={aspect_width}/{aspect_height},buffersink@out{n}"
        );
    }
    Graph::new(&description, false, rungs.len())
}

/// From a decoded picture to one for a JPEG.
pub fn thumbnail(shape: PictureShape, video: &StreamInfo, width: u32, height: u32) -> Result<Graph, AvError> {
    let mut chain = vec![source(shape)];
    chain.extend(orientation(video));
    if video.hdr {
        chain.extend(tone_map(width, height));
    }
    chain.push(format!(
        "scale={width}:{height}:flags=bicubic:out_range=pc,format=yuvj420p,buffersink@out0"
    ));
    Graph::new(&chain.join(","), false, 1)
}

/// From decoded sound to planar floats, stereo, 48 kHz.
pub fn stereo(shape: SoundShape) -> Result<Graph, AvError> {
    let SoundShape {
        sample_rate,
        format,
        layout_mask,
        ..
    } = shape;
    let description = format!(
        "abuffer@in=sample_rate={sample_rate}:sample_fmt={format}:channel_layout=0x{layout_mask:x}:\
         time_base=1/{sample_rate},aresample=48000,aformat=sample_fmts=fltp:channel_layouts=stereo,abuffersink@out0"
    );
    Graph::new(&description, true, 1)
}

fn source(shape: PictureShape) -> String {
    let PictureShape {
        width,
        height,
        format,
        ..
    } = shape;
    format!("buffer@in=video_size={width}x{height}:pix_fmt={format}:time_base=1/90000:pixel_aspect=1/1")
}

fn orientation(video: &StreamInfo) -> Vec<String> {
    let mut filters = Vec::new();
    if video.mirrored {
        filters.push("hflip".to_owned());
    }
    match video.rotation {
        90 => filters.push("transpose=clock".to_owned()),
        180 => filters.extend(["hflip".to_owned(), "vflip".to_owned()]),
        270 => filters.push("transpose=cclock".to_owned()),
        _ => {}
    }
    filters
}

/// HDR (PQ or HLG) to what every screen shows: 8-bit BT.709.
fn tone_map(width: u32, height: u32) -> Vec<String> {
    [
        &format!("zscale=w={width}:h={height}:t=linear:npl=100"),
        "format=gbrpf32le",
        "zscale=p=bt709",
        "tonemap=hable:desat=0",
        "zscale=t=bt709:m=bt709:r=tv",
        "format=yuv420p",
    ]
    .map(str::to_owned)
    .to_vec()
}

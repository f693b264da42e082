//! A small corpus made on the spot: good films in odd shapes, and files that only look like films.

use std::path::{Path, PathBuf};

use anyhow::Result;

use crate::clips::{demo_film, ffmpeg};

const PICTURE: [&str; 4] = ["-f", "lavfi", "-i", "testsrc2=size=320x180:rate=24:duration=2"];
const SOUND: [&str; 4] = ["-f", "lavfi", "-i", "sine=frequency=440:duration=2"];

/// Makes the files and their manifest below `folder`.
pub fn corpus(folder: &Path) -> Result<PathBuf> {
    let corpus = folder.join("corpus");
    std::fs::create_dir_all(&corpus)?;
    let mut manifest = String::from("file\tffprobe\texpected_upload\n");
    let mut add = |name: &str, probe: &str, expected: &str| -> PathBuf {
        manifest.push_str(&format!("{name}\t{probe}\t{expected}\n"));
        corpus.join(name)
    };
    std::fs::copy(demo_film(), add("demo.mp4", "5.312s 1280x720", "accept"))?;
    make(
        &[&PICTURE, &SOUND, &["-pix_fmt", "yuv420p"]],
        &add("plain.mkv", "2.0s 320x180", "accept"),
    )?;
    make(
        &[&PICTURE, &["-c:v", "mpeg2video"]],
        &add("silent.mpg", "2.0s 320x180", "accept"),
    )?;
    make(
        &[&PICTURE, &SOUND, &["-c:v", "libvpx-vp9", "-c:a", "libopus"]],
        &add("other.webm", "2.0s 320x180", "accept"),
    )?;
    let odd = ["-vf", "scale=853:479", "-pix_fmt", "yuv444p"];
    make(&[&PICTURE, &odd], &add("odd_sides.mp4", "2.0s 853x479", "accept"))?;
    let portrait = ["-vf", "scale=180:320,setsar=1", "-pix_fmt", "yuv420p"];
    make(
        &[&PICTURE, &SOUND, &portrait],
        &add("portrait.mp4", "2.0s 180x320", "accept"),
    )?;
    make(
        &[&SOUND, &["-c:a", "aac"]],
        &add("sound_only.m4a", "2.0s", "audio-only"),
    )?;

    let film = std::fs::read(demo_film())?;
    std::fs::write(add("empty.mp4", "", "reject"), b"")?;
    std::fs::write(add("text.mp4", "", "reject"), b"this is no film\n")?;
    std::fs::write(add("head_only.mp4", "", "reject"), &film[..64.min(film.len())])?;
    let noise: Vec<u8> = (0..65_536u32)
        .map(|index| (index.wrapping_mul(2_654_435_761) >> 24) as u8)
        .collect();
    std::fs::write(add("noise.mp4", "", "reject"), noise)?;
    let own = demo_film().display().to_string();
    std::fs::write(
        add("another_persons_film.mp4", "", "reject"),
        format!("#EXTM3U\n#EXT-X-TARGETDURATION:10\n#EXTINF:10,\n{own}\n#EXT-X-ENDLIST\n"),
    )?;
    std::fs::write(
        add("calls_home.mp4", "", "reject"),
        "#EXTM3U\n#EXT-X-TARGETDURATION:10\n#EXTINF:10,\nhttp://127.0.0.1:18999/x.ts\n#EXT-X-ENDLIST\n",
    )?;
    make(
        &[&PICTURE, &["-frames:v", "1", "-f", "image2pipe", "-c:v", "png"]],
        &add("picture.mp4", "", "reject"),
    )?;
    std::fs::write(corpus.join("MANIFEST.tsv"), manifest)?;
    Ok(corpus)
}

fn make(words: &[&[&str]], into: &Path) -> Result<()> {
    ffmpeg(&words.concat(), into)
}

//! Opens media in a sandbox: the only executable that links FFmpeg.

mod aac;
mod audio;
mod av;
mod clock;
mod cmaf;
mod codecs;
mod cuts;
mod encode;
mod escape;
mod film;
mod filters;
mod h264;
mod lane;
mod output;
mod pictures;
mod probe;
mod remux;
mod sandbox;
mod segments;
mod start;
mod stop;
mod thumbnail;

use std::process::ExitCode;

use spool_media_protocol::{Limits, Message, Task};

use crate::film::Film;
use crate::output::Output;
use crate::stop::Stop;

const HELP: &str = "\
spool-media opens one film in a sandbox and answers on stdout.

Usage: spool-media [--unsafe-no-sandbox] <task>   with the film, a regular file, as stdin
       spool-media --try-to-escape file|socket|program|thread   shows that the sandbox holds
       spool-media --help | --version

<task> is JSON, for example
  {\"task\":\"probe\"}
  {\"task\":\"remux\",\"audio\":{}}
  {\"task\":\"encode\",\"rungs\":[{\"name\":\"360p\",\"width\":640,\"height\":360,\"sample_aspect\":[1,1],
    \"crf\":23,\"bit_rate_max\":900000,\"buffer_bits\":1800000}],\"audio\":{},\"cut\":\"grid\"}
  {\"task\":\"thumbnail\"}

The answer is a series of frames: two 32-bit little-endian lengths, a JSON header, the payload. Log lines go to stderr.
Exit status: 0 finished, 1 failed, 2 wrong arguments or no sandbox, 3 the film was refused.
--unsafe-no-sandbox runs without limits and filters. A hostile film can then do what the caller can.
";

fn main() -> ExitCode {
    let mut arguments: Vec<String> = std::env::args().skip(1).collect();
    let sandboxed = match arguments
        .iter()
        .position(|argument| argument == "--unsafe-no-sandbox")
    {
        Some(at) => {
            arguments.remove(at);
            false
        }
        None => true,
    };
    match arguments.as_slice() {
        [only] if only == "--help" || only == "-h" => {
            print!("{HELP}");
            ExitCode::SUCCESS
        }
        [only] if only == "--version" => {
            println!("spool-media {}", env!("CARGO_PKG_VERSION"));
            ExitCode::SUCCESS
        }
        [first, what] if first == "--try-to-escape" => match sandbox::enter(&Limits::default()) {
            Ok(()) => escape::attempt(what),
            Err(why) => wrong_use(&why),
        },
        [task] => match serde_json::from_str::<Task>(task) {
            Ok(task) => work(&task, sandboxed),
            Err(error) => wrong_use(&format!("the task is not understood: {error}")),
        },
        _ => wrong_use("one task is wanted; see --help"),
    }
}

fn wrong_use(why: &str) -> ExitCode {
    eprintln!("spool-media: {why}");
    ExitCode::from(2)
}

fn work(task: &Task, sandboxed: bool) -> ExitCode {
    av::prepare();
    let mut output = Output::new();
    if sandboxed && let Err(why) = sandbox::enter(task.limits()) {
        let sentence = format!("The sandbox could not be set up, so no film is opened ({why}).");
        eprintln!("spool-media: {sentence}");
        return last_words(&mut output, Stop::fail("sandbox", sentence, false));
    }
    let done = match task {
        Task::Probe { limits } => Film::open(limits).and_then(|film| {
            output.message(&Message::Probed(Box::new(film.probe.clone())), &[])?;
            output.finish(film.probe.duration_ms)?;
            Ok(())
        }),
        Task::Remux(task) => remux::run(task, &mut output),
        Task::Encode(task) => encode::run(task, &mut output),
        Task::Thumbnail(task) => thumbnail::run(task, &mut output),
    };
    match done {
        Ok(()) => ExitCode::SUCCESS,
        Err(stop) => last_words(&mut output, stop),
    }
}

fn last_words(output: &mut Output, stop: Stop) -> ExitCode {
    let (message, status) = match stop {
        Stop::Refused(refusal) => (Message::Refused(refusal), 3),
        Stop::Failed(failed) if failed.code == "sandbox" => (Message::Failed(failed), 2),
        Stop::Failed(failed) => (Message::Failed(failed), 1),
        Stop::PipeClosed => return ExitCode::from(1),
    };
    // When the worker is gone there is no one to tell.
    let _ = output.message(&message, &[]);
    ExitCode::from(status)
}

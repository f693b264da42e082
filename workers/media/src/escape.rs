//! Tries from inside the sandbox what a film that took over the process would try.

use std::fs::File;
use std::net::TcpStream;
use std::process::{Command, ExitCode};

/// Answers 0 when the attempt was refused; most attempts end the process before that.
pub fn attempt(what: &str) -> ExitCode {
    let escaped = match what {
        "file" => File::open("/proc/self/status").is_ok() || File::create("/tmp/spool-media-escaped").is_ok(),
        "socket" => TcpStream::connect(("127.0.0.1", 18_999)).is_ok(),
        "program" => Command::new("/bin/true").status().is_ok(),
        // Threads are allowed: encoders need them.
        "thread" => std::thread::spawn(|| 7).join().is_err(),
        _ => {
            eprintln!("spool-media: there is no attempt named {what:?}");
            return ExitCode::from(2);
        }
    };
    if escaped {
        println!("escaped");
        return ExitCode::FAILURE;
    }
    println!("held");
    ExitCode::SUCCESS
}

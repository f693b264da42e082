//! `cargo run -p spool-services -- kafka s3`: starts servers, prints where they are, and holds them until its input ends.

use std::io::{Read, Write};
use std::process::ExitCode;

use spool_services::{Brokers, Cassandra, Failed, Kafka, Oidc, S3};

/// Whatever must stay alive for a server to do so.
enum Held {
    Kafka(Kafka),
    Cassandra(Cassandra),
    S3(S3),
    Oidc(Oidc),
}

fn main() -> ExitCode {
    let names: Vec<String> = std::env::args().skip(1).collect();
    if names.is_empty() {
        eprintln!("spool-services: which servers? kafka, kafka3, cassandra, s3, minio, oidc");
        return ExitCode::from(2);
    }
    match hold(&names) {
        Ok(()) => ExitCode::SUCCESS,
        Err(failed) => {
            eprintln!("spool-services: {failed}");
            ExitCode::FAILURE
        }
    }
}

fn hold(names: &[String]) -> Result<(), Failed> {
    let mut held = Vec::new();
    for name in names {
        let server = start(name)?;
        let mut out = std::io::stdout().lock();
        // A reader that went away is noticed by the end of the input.
        let _ = writeln!(out, "{name} {}", server.address()).and_then(|()| out.flush());
        held.push(server);
    }
    let _ = std::io::stdin().lock().read_to_end(&mut Vec::new());
    Ok(())
}

fn start(name: &str) -> Result<Held, Failed> {
    Ok(match name {
        "kafka" => Held::Kafka(Kafka::start(Brokers::One)?),
        "kafka3" => Held::Kafka(Kafka::start(Brokers::Three)?),
        "cassandra" => Held::Cassandra(Cassandra::start()?),
        "s3" => Held::S3(S3::start()?),
        "minio" => Held::S3(S3::start_minio()?),
        "oidc" => Held::Oidc(Oidc::start()?),
        unknown => {
            return Err(Failed::because(format!(
                "there is no server named {unknown:?}; there are kafka, kafka3, cassandra, s3, minio and oidc"
            )));
        }
    })
}

impl Held {
    fn address(&self) -> &str {
        match self {
            Held::Kafka(kafka) => kafka.bootstrap(),
            Held::Cassandra(cassandra) => cassandra.contact_point(),
            Held::S3(s3) => s3.endpoint(),
            Held::Oidc(oidc) => oidc.issuer(),
        }
    }
}

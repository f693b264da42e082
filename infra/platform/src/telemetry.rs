//! What the process says about itself: log lines (tracing) and figures (Prometheus).
use std::io::IsTerminal;
use std::sync::OnceLock;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use metrics_exporter_prometheus::{BuildError, Matcher, PrometheusBuilder, PrometheusHandle};
use tracing_subscriber::EnvFilter;

use crate::config::{Format, Telemetry};

/// Bounds of every histogram whose name ends in `_seconds`.
const SECONDS: &[f64] = &[
    0.000_25, 0.000_5, 0.001, 0.002_5, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0,
    120.0, 600.0,
];
/// Bounds of every other histogram: counts and sizes.
const SIZES: &[f64] = &[
    1.0,
    2.0,
    4.0,
    8.0,
    16.0,
    32.0,
    64.0,
    128.0,
    256.0,
    1024.0,
    4096.0,
    65_536.0,
    1_048_576.0,
    16_777_216.0,
];

/// The figures of this process. They are written with the macros of crate `metrics`.
#[derive(Clone)]
pub struct Metrics(PrometheusHandle);

#[derive(Debug, thiserror::Error)]
pub enum TelemetryError {
    #[error("telemetry.log is not a filter: {0}")]
    Filter(#[from] tracing_subscriber::filter::ParseError),
}

/// Starts log lines (to stderr) and figures. Once a process; further calls give the same figures and leave the log
/// lines as they are.
pub fn start(settings: &Telemetry) -> Result<Metrics, TelemetryError> {
    let filter = EnvFilter::try_new(&settings.log)?;
    let lines = tracing_subscriber::fmt()
        .with_env_filter(filter)
        // Colours are for people; a file or a service manager would keep their codes.
        .with_ansi(shows_colours())
        .with_writer(std::io::stderr);
    // Somebody else's subscriber (a test's) may stay; having none of ours is no reason not to serve.
    let _ = match settings.format {
        Format::Pretty => lines.try_init(),
        Format::Json => lines.json().flatten_event(true).try_init(),
    };
    Ok(metrics())
}

/// On a terminal, unless the person wants none (no-color.org).
fn shows_colours() -> bool {
    let wants_none = std::env::var_os("NO_COLOR").is_some_and(|value| !value.is_empty());
    std::io::stderr().is_terminal() && !wants_none
}

/// The figures alone, without log lines.
pub fn metrics() -> Metrics {
    static METRICS: OnceLock<Metrics> = OnceLock::new();
    METRICS
        .get_or_init(|| {
            Metrics(install().expect("the bounds are not empty and the recorder is installed here only"))
        })
        .clone()
}

impl Metrics {
    /// All figures in Prometheus's text format, those of the process itself read now.
    pub fn render(&self) -> String {
        record_process();
        self.0.render()
    }
}

fn install() -> Result<PrometheusHandle, BuildError> {
    let handle = PrometheusBuilder::new()
        .set_buckets(SIZES)?
        .set_buckets_for_metric(Matcher::Suffix("_seconds".to_owned()), SECONDS)?
        .install_recorder()?;
    metrics::describe_gauge!(
        "process_start_time_seconds",
        "Start of the process since the Unix epoch in seconds."
    );
    metrics::describe_gauge!("process_resident_memory_bytes", "Resident memory in bytes.");
    metrics::describe_gauge!("process_open_fds", "Open file descriptors.");
    metrics::describe_counter!(
        "process_cpu_seconds_total",
        "CPU time of the process in whole seconds."
    );
    let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    metrics::gauge!("process_start_time_seconds").set(now.as_secs_f64());
    metrics::gauge!("spool_build_info", "version" => env!("CARGO_PKG_VERSION")).set(1.0);
    keep_up(handle.clone());
    Ok(handle)
}

/// Histograms collect every sample until somebody renders; nobody may ever do.
fn keep_up(handle: PrometheusHandle) {
    let upkeep = move || loop {
        std::thread::sleep(Duration::from_secs(5));
        handle.run_upkeep();
    };
    if let Err(error) = std::thread::Builder::new()
        .name("metrics-upkeep".to_owned())
        .spawn(upkeep)
    {
        tracing::warn!(%error, "starting the upkeep of metrics");
    }
}

/// Linux only; elsewhere these figures are left out.
#[expect(clippy::cast_precision_loss, reason = "figures are doubles")]
fn record_process() {
    let page_bytes = rustix::param::page_size() as u64;
    let resident_pages = std::fs::read_to_string("/proc/self/statm")
        .ok()
        .and_then(|text| text.split_whitespace().nth(1)?.parse::<u64>().ok());
    if let Some(pages) = resident_pages {
        metrics::gauge!("process_resident_memory_bytes").set((pages * page_bytes) as f64);
    }
    if let Ok(entries) = std::fs::read_dir("/proc/self/fd") {
        metrics::gauge!("process_open_fds").set(entries.count() as f64);
    }
    if let Some(ticks) = cpu_ticks() {
        metrics::counter!("process_cpu_seconds_total")
            .absolute(ticks / rustix::param::clock_ticks_per_second());
    }
}

fn cpu_ticks() -> Option<u64> {
    let stat = std::fs::read_to_string("/proc/self/stat").ok()?;
    // The second field is the program's name in brackets and may hold spaces; user and system time are the 14th and 15th.
    let mut fields = stat.rsplit_once(')')?.1.split_whitespace().skip(11);
    Some(fields.next()?.parse::<u64>().ok()? + fields.next()?.parse::<u64>().ok()?)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn figures_are_rendered_with_those_of_the_process() {
        let settings = Telemetry {
            log: "info,spool=debug".to_owned(),
            format: Format::Json,
        };
        let figures = start(&settings).expect("the filter is good");
        metrics::counter!("spool_test_total", "kind" => "one").increment(3);
        metrics::histogram!("spool_test_seconds").record(0.003);
        let text = figures.render();
        for line in [
            "spool_test_total{kind=\"one\"} 3",
            "spool_test_seconds_bucket{le=\"0.005\"} 1",
        ] {
            assert!(text.contains(line), "{line} is missing in {text}");
        }
        for name in [
            "process_start_time_seconds",
            "process_resident_memory_bytes",
            "process_open_fds",
            "spool_build_info",
        ] {
            assert!(text.contains(name), "{name} is missing");
        }
    }

    #[test]
    fn a_bad_filter_is_refused() {
        let settings = Telemetry {
            log: "spool=loudly".to_owned(),
            format: Format::Pretty,
        };
        assert!(matches!(start(&settings), Err(TelemetryError::Filter(_))));
    }
}

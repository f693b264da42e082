//! The operator's work itself, as streams of JSON lines; the same for a running node and a closed one.

use bytes::Bytes;
use serde::{Deserialize, Serialize};
use serde_json::json;
use spool_domain::ids::StreamId;
use spool_log::{Log, ScanRecord};
use spool_projections::{Projections, WaitError};
use spool_schemas::{CommitRef, Envelope};
use std::collections::HashMap;
use std::time::{Duration, Instant};
use tokio::sync::mpsc;

const READ_BYTES: usize = 1 << 20;
/// Verifying says how far it is this often, in records.
const SAY_EVERY: u64 = 100_000;
/// Views that stand still for this long do not catch up.
const STANDSTILL: Duration = Duration::from_secs(60);
const LOOK_EVERY: Duration = Duration::from_secs(1);

/// Where answers go. Nobody listening ends the work.
pub struct Lines(mpsc::Sender<Bytes>);

pub fn lines() -> (Lines, mpsc::Receiver<Bytes>) {
    let (sender, receiver) = mpsc::channel(256);
    (Lines(sender), receiver)
}

struct NobodyListens;

impl Lines {
    async fn say(&self, value: &impl Serialize) -> Result<(), NobodyListens> {
        self.0.send(line(value)).await.map_err(|_| NobodyListens)
    }

    fn say_blocking(&self, value: &impl Serialize) -> Result<(), NobodyListens> {
        self.send_blocking(line(value))
    }

    fn send_blocking(&self, line: Bytes) -> Result<(), NobodyListens> {
        self.0.blocking_send(line).map_err(|_| NobodyListens)
    }
}

fn line(value: &impl Serialize) -> Bytes {
    let mut line = serde_json::to_vec(value)
        .unwrap_or_else(|error| json!({"error": error.to_string()}).to_string().into());
    line.push(b'\n');
    line.into()
}

/// Which events are wanted.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub struct Wanted {
    /// Of one stream only.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub stream: Option<String>,
    /// At most so many of those that are there already; all if not said.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub last: Option<usize>,
    /// Wait for what comes.
    #[serde(default)]
    pub follow: bool,
}

impl Wanted {
    /// As a query string.
    pub fn query(&self) -> String {
        let mut parts = vec![format!("follow={}", self.follow)];
        parts.extend(self.stream.as_ref().map(|stream| format!("stream={stream}")));
        parts.extend(self.last.map(|last| format!("last={last}")));
        parts.join("&")
    }

    fn stream(&self) -> Result<Option<StreamId>, String> {
        self.stream
            .as_deref()
            .map(str::parse)
            .transpose()
            .map_err(|error: spool_domain::ids::NotAStream| error.to_string())
    }
}

/// Events in the order of the log, then, when following, as they come.
pub async fn events(log: Log, wanted: Wanted, lines: Lines) {
    let stream = match wanted.stream() {
        Ok(stream) => stream,
        Err(error) => {
            let _ = lines.say(&json!({"error": error})).await;
            return;
        }
    };
    let heads: Vec<u64> = (0..log.partitions())
        .map(|partition| log.head(partition))
        .collect();
    let (reader, last) = (log.clone(), wanted.last);
    let lines = std::sync::Arc::new(lines);
    let (told, sender) = (heads.clone(), lines.clone());
    let history =
        tokio::task::spawn_blocking(move || tell_history(&reader, &told, stream, last, &sender)).await;
    if !matches!(history, Ok(Ok(()))) || !wanted.follow {
        return;
    }
    let partitions: Vec<u16> = match stream {
        Some(stream) => vec![stream.partition(log.partitions())],
        None => (0..log.partitions()).collect(),
    };
    let mut followers = tokio::task::JoinSet::new();
    for partition in partitions {
        let (log, lines, from) = (log.clone(), lines.clone(), heads[usize::from(partition)]);
        followers.spawn(async move { follow(&log, partition, from, stream, &lines).await });
    }
    while followers.join_next().await.is_some() {}
}

/// The history up to `heads`; of it only the last `last` events, when that is said.
fn tell_history(
    log: &Log,
    heads: &[u64],
    stream: Option<StreamId>,
    last: Option<usize>,
    lines: &Lines,
) -> Result<(), NobodyListens> {
    let failed = |error: &dyn std::fmt::Display| lines.say_blocking(&json!({"error": error.to_string()}));
    let scan = match log.scan(&vec![0; heads.len()]) {
        Ok(scan) => scan,
        Err(error) => return failed(&error),
    };
    let mut kept = std::collections::VecDeque::new();
    for record in scan {
        let record = match record {
            Ok(record) if record.offset >= heads[usize::from(record.partition)] => continue,
            Ok(record) => record,
            Err(error) => return failed(&error),
        };
        for event in envelopes(&record.payload, stream) {
            match last {
                None => lines.send_blocking(event)?,
                Some(last) => {
                    kept.push_back(event);
                    while kept.len() > last {
                        kept.pop_front();
                    }
                }
            }
        }
    }
    kept.into_iter().try_for_each(|event| lines.send_blocking(event))
}

async fn follow(log: &Log, partition: u16, mut from: u64, stream: Option<StreamId>, lines: &Lines) {
    let mut head = log.watch(partition);
    loop {
        if head.wait_for(|head| *head > from).await.is_err() {
            return;
        }
        let reader = log.clone();
        let Ok(Ok(records)) =
            tokio::task::spawn_blocking(move || reader.read(partition, from, READ_BYTES)).await
        else {
            let _ = lines
                .say(&json!({"error": format!("partition {partition} cannot be read")}))
                .await;
            return;
        };
        for record in &records {
            from = record.offset + 1;
            for event in envelopes(&record.payload, stream) {
                if lines.0.send(event).await.is_err() {
                    return;
                }
            }
        }
    }
}

/// As lines of text, so that the fields keep their order.
fn envelopes(record: &[u8], stream: Option<StreamId>) -> Vec<Bytes> {
    match CommitRef::decode(record) {
        Ok(commit) if stream.is_some_and(|wanted| wanted != commit.stream) => vec![],
        Ok(commit) => Envelope::of_commit(&commit).iter().map(line).collect(),
        Err(error) => vec![line(&json!({"error": error.to_string()}))],
    }
}

/// Rebuilds a view, saying how far it is.
pub async fn rebuild(projections: &Projections, view: &str, lines: Lines) {
    let running = match projections.rebuild(view) {
        Ok(running) => running,
        Err(error) => {
            let _ = lines.say(&json!({"error": error.to_string()})).await;
            return;
        }
    };
    let mut progress = running.progress();
    let finished = running.finished();
    tokio::pin!(finished);
    let ended = loop {
        tokio::select! {
            ended = &mut finished => break ended,
            changed = progress.changed() => {
                let now = progress.borrow_and_update().clone();
                // Somebody who stopped looking does not stop the rebuild.
                let _ = lines.say(&now).await;
                if changed.is_err() {
                    break finished.await;
                }
            }
        }
    };
    let last = match ended {
        Ok(version) => json!({"finished": true, "view": view, "version": version}),
        Err(error) => json!({"error": error.to_string()}),
    };
    let _ = lines.say(&last).await;
}

/// Checks the log, then that every event decodes in order, then every view against a refold.
pub async fn verify(log: Log, projections: Projections, lines: Lines) {
    if !catches_up(&projections, &lines).await {
        let _ = lines
            .say(&json!({"check": "views", "ok": false, "detail": "the views did not catch up with the log"}))
            .await;
    }
    let work = move || {
        let told = verify_log(&log, &lines)
            .and_then(|log_ok| verify_events(&log, &lines).map(|events_ok| log_ok && events_ok))
            .and_then(|so_far| verify_views(&projections, &lines).map(|views_ok| so_far && views_ok));
        if let Ok(ok) = told {
            let _ = lines.say_blocking(&json!({"finished": true, "ok": ok}));
        }
    };
    let _ = tokio::task::spawn_blocking(work).await;
}

/// Waits for as long as the views move: those that are made anew may need hours. Says how far they are.
async fn catches_up(projections: &Projections, lines: &Lines) -> bool {
    let (mut seen, mut moved) = (vec![], Instant::now());
    loop {
        match projections.caught_up(LOOK_EVERY).await {
            Ok(()) => return true,
            Err(WaitError::Stopped | WaitError::UnknownView(_)) => return false,
            Err(WaitError::TimedOut { .. } | WaitError::Rebuilding { .. }) => {}
        }
        let status = projections.status();
        if status != seen {
            (seen, moved) = (status, Instant::now());
            let filling = seen.iter().filter_map(|view| view.rebuilding.as_ref());
            for progress in filling {
                // Whoever stopped looking is noticed by what is said next.
                let _ = lines.say(progress).await;
            }
        } else if moved.elapsed() > STANDSTILL {
            return false;
        }
    }
}

fn verify_log(log: &Log, lines: &Lines) -> Result<bool, NobodyListens> {
    let report = log.verify();
    let ok = report.problems.is_empty();
    let detail = match ok {
        true => format!("{} commits in {} segments", report.commits, report.segments),
        false => report
            .problems
            .iter()
            .map(|problem| {
                format!(
                    "{} byte {}: {}",
                    problem.file.display(),
                    problem.position,
                    problem.problem
                )
            })
            .collect::<Vec<_>>()
            .join("; "),
    };
    lines.say_blocking(&json!({"check": "log checksums and order", "ok": ok, "detail": detail}))?;
    Ok(ok)
}

fn verify_events(log: &Log, lines: &Lines) -> Result<bool, NobodyListens> {
    let check = "every event decodes, versions are contiguous";
    let mut problems = Vec::new();
    let (mut commits, mut events) = (0u64, 0u64);
    match log.scan(&vec![0; usize::from(log.partitions())]) {
        Ok(scan) => {
            let mut versions = HashMap::new();
            for record in scan {
                commits += 1;
                match record
                    .map_err(|error| error.to_string())
                    .and_then(|record| check_record(&record, &mut versions, log))
                {
                    Ok(count) => events += count,
                    Err(problem) => problems.push(problem),
                }
                if commits % SAY_EVERY == 0 {
                    lines.say_blocking(&json!({"check": check, "commits": commits}))?;
                }
            }
        }
        Err(error) => problems.push(error.to_string()),
    }
    let ok = problems.is_empty();
    problems.truncate(20);
    let detail = if ok {
        format!("{events} events in {commits} commits")
    } else {
        problems.join("; ")
    };
    lines.say_blocking(&json!({"check": check, "ok": ok, "detail": detail}))?;
    Ok(ok)
}

fn check_record(
    record: &ScanRecord,
    versions: &mut HashMap<StreamId, u64>,
    log: &Log,
) -> Result<u64, String> {
    let at = |problem: String| {
        format!(
            "partition {} offset {}: {problem}",
            record.partition, record.offset
        )
    };
    let commit = CommitRef::decode(&record.payload).map_err(|error| at(error.to_string()))?;
    let events = commit.decode_events().map_err(|error| at(error.to_string()))?;
    let before = versions.insert(commit.stream, commit.last_version()).unwrap_or(0);
    if commit.version != before + 1 {
        return Err(at(format!(
            "{} goes from version {before} to {}",
            commit.stream, commit.version
        )));
    }
    if commit.stream.partition(log.partitions()) != record.partition {
        return Err(at(format!("{} does not belong here", commit.stream)));
    }
    Ok(events.len() as u64)
}

fn verify_views(projections: &Projections, lines: &Lines) -> Result<bool, NobodyListens> {
    match projections.verify() {
        Ok(views) => {
            for view in &views {
                let detail = match (view.equal, view.parked) {
                    (true, 0) => format!("content {}", view.hash),
                    (true, parked) => format!("{parked} rows are parked, see the log of the node"),
                    (false, _) => format!(
                        "serving {} but the log says {}; run spool rebuild {}",
                        view.hash, view.refold_hash, view.view
                    ),
                };
                let ok = view.equal && view.parked == 0;
                lines.say_blocking(&json!({
                    "check": format!("view {} equals a refold", view.view), "ok": ok, "detail": detail,
                    "view": view.view, "content": view.hash, "commits": view.commits,
                }))?;
            }
            Ok(views.iter().all(|view| view.equal && view.parked == 0))
        }
        Err(error) => {
            lines.say_blocking(
                &json!({"check": "views equal a refold", "ok": false, "detail": error.to_string()}),
            )?;
            Ok(false)
        }
    }
}

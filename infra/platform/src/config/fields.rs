//! The table of settings: key, kind, default and meaning of each. A new one is a line here and a field in the struct.

pub(super) struct Field {
    /// Dotted: the section, then the name. Its variable is `SPOOL_` and this in capitals with `_` for the dot.
    pub key: &'static str,
    pub kind: Kind,
    /// As one would write it on the command line.
    pub default: Option<&'static str>,
    /// Not shown by `--print-config`.
    pub secret: bool,
    pub meaning: &'static str,
}

#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    Text,
    Flag,
    /// A whole number within these bounds, both included.
    Number(i64, i64),
    /// A number of bytes: `67108864`, or `"64MiB"` (KiB, MiB, GiB, TiB).
    Bytes,
}

const fn field(key: &'static str, kind: Kind, default: &'static str, meaning: &'static str) -> Field {
    Field {
        key,
        kind,
        default: Some(default),
        secret: false,
        meaning,
    }
}

const fn optional(key: &'static str, meaning: &'static str) -> Field {
    Field {
        key,
        kind: Kind::Text,
        default: None,
        secret: false,
        meaning,
    }
}

const POSITIVE: Kind = Kind::Number(1, i64::MAX);

/// In the order of printing; the fields of a section stand together, those of no section first.
pub(super) const FIELDS: &[Field] = &[
    field(
        "data_dir",
        Kind::Text,
        "./data",
        "Folder of the log, the tables and the media.",
    ),
    optional(
        "keys_dir",
        "Folder of the keys, kept apart from backups of the data. Unset: `keys` in data_dir.",
    ),
    field(
        "listen",
        Kind::Text,
        "127.0.0.1:8080",
        "Address and port of the web server.",
    ),
    optional(
        "public_url",
        "Base of the links given to others, such as https://films.example. Unset: by request.",
    ),
    field(
        "log.partitions",
        Kind::Number(1, 4096),
        "16",
        "How many partitions the log is made of. Fixed once the log exists.",
    ),
    field(
        "log.segment_bytes",
        Kind::Bytes,
        "64MiB",
        "Size of one file of the log; a closed one never changes again.",
    ),
    field(
        "uploads.max_bytes",
        Kind::Bytes,
        "4GiB",
        "Largest file a person may upload.",
    ),
    field(
        "uploads.min_free_bytes",
        Kind::Bytes,
        "64MiB",
        "Uploads and media are refused when the disk would have less room than this left.",
    ),
    field(
        "media.concurrency",
        Kind::Number(0, 1024),
        "0",
        "Jobs at once in one worker. 0: one per core, at most five.",
    ),
    optional(
        "media.spool_media",
        "Path of the executable spool-media. Unset: beside this one.",
    ),
    field(
        "media.cpu_seconds",
        POSITIVE,
        "172800",
        "CPU time one job may use, in seconds over all its threads.",
    ),
    field(
        "media.memory_bytes",
        Kind::Bytes,
        "4GiB",
        "Address space one job may use.",
    ),
    field(
        "media.stall_seconds",
        POSITIVE,
        "60",
        "A job without any progress for this long is stopped.",
    ),
    field(
        "media.max_duration_seconds",
        POSITIVE,
        "43200",
        "Longest film that is accepted, in seconds of playing time.",
    ),
    field(
        "media.unsafe_no_sandbox",
        Kind::Flag,
        "false",
        "Run spool-media even where its sandbox cannot be set up. Opens the machine to hostile films.",
    ),
    field(
        "media.max_height",
        Kind::Number(144, 8640),
        "1080",
        "Highest rendition made, by its short side in pixels.",
    ),
    field(
        "auth.access_token_seconds",
        POSITIVE,
        "900",
        "Life of an access token.",
    ),
    field(
        "auth.refresh_token_seconds",
        POSITIVE,
        "2592000",
        "Life of a refresh token that is not used (30 days).",
    ),
    field(
        "auth.open_registration",
        Kind::Flag,
        "true",
        "Whether anybody may register.",
    ),
    field(
        "auth.default_role",
        Kind::Text,
        "creator",
        "Role of a new account: viewer or creator.",
    ),
    field(
        "jobs.lease_seconds",
        POSITIVE,
        "30",
        "A worker that is silent for this long loses its job to another.",
    ),
    field(
        "jobs.max_attempts",
        Kind::Number(1, 1000),
        "3",
        "A job that failed this often is given up.",
    ),
    field(
        "telemetry.log",
        Kind::Text,
        "info",
        "Which log lines are written, such as info or spool_gateway=debug,warn.",
    ),
    field(
        "telemetry.format",
        Kind::Text,
        "pretty",
        "How log lines look: pretty or json.",
    ),
    field(
        "catalogue.signed_url_seconds",
        POSITIVE,
        "21600",
        "Life of a signed media URL (6 hours).",
    ),
    optional(
        "kafka.brokers",
        "Kafka brokers, host:port separated by commas. Unset: no Kafka, and no public topics.",
    ),
    optional(
        "kafka.topic_prefix",
        "Stands before every topic's name, such as `test-`, so that installations can share a cluster. Unset: nothing.",
    ),
    field(
        "kafka.replication",
        Kind::Number(1, 32),
        "3",
        "On how many brokers every topic lies. Fewer than 3 and a lost broker stops writes; 1 and it loses facts.",
    ),
    field(
        "kafka.public_topics",
        Kind::Flag,
        "true",
        "Whether events are also written to the topics for other teams (video-events, …).",
    ),
    Field {
        secret: true,
        ..optional(
            "kafka.properties",
            "Properties of librdkafka for TLS and SASL: name=value, one a line, or on one line separated by `;`.",
        )
    },
];

impl Field {
    pub fn variable(&self) -> String {
        format!("SPOOL_{}", self.key.replace('.', "_").to_uppercase())
    }

    /// The section (empty for none) and the name within it.
    pub fn section_and_name(&self) -> (&'static str, &'static str) {
        self.key.split_once('.').unwrap_or(("", self.key))
    }
}

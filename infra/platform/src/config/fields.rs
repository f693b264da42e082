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

pub(super) const fn field(
    key: &'static str,
    kind: Kind,
    default: &'static str,
    meaning: &'static str,
) -> Field {
    Field {
        key,
        kind,
        default: Some(default),
        secret: false,
        meaning,
    }
}

pub(super) const fn optional(key: &'static str, meaning: &'static str) -> Field {
    Field {
        key,
        kind: Kind::Text,
        default: None,
        secret: false,
        meaning,
    }
}

pub(super) const fn secret(key: &'static str, meaning: &'static str) -> Field {
    Field {
        secret: true,
        ..optional(key, meaning)
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
        "log.backend",
        Kind::Text,
        "embedded",
        "Where the log is kept: embedded (files in data_dir) or kafka (a topic that `spool topics ensure` makes).",
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
        "Size of one file of the embedded log; a closed one never changes again.",
    ),
    field(
        "tables.backend",
        Kind::Text,
        "embedded",
        "Where the views are kept: embedded (files in data_dir) or cql (ScyllaDB or Apache Cassandra).",
    ),
    field(
        "blobs.backend",
        Kind::Text,
        "local",
        "Where films are kept: local (files in data_dir) or s3 (a bucket).",
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
        "auth.signing_key_days",
        Kind::Number(1, 3650),
        "30",
        "Access tokens are signed with a new key after so many days; the old one is accepted for as long as tokens live.",
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
        "auth.confirm_email_first",
        Kind::Flag,
        "false",
        "Whether nobody can sign in before their e-mail address is confirmed. Needs mail.smtp_url or mail.file.",
    ),
    optional(
        "edge.trusted_proxies",
        "Proxies that are believed about whom they speak for: networks (10.0.0.0/8) separated by commas. Unset: nobody is.",
    ),
    field(
        "edge.proxy_header",
        Kind::Text,
        "x-forwarded-for",
        "What these proxies write: x-forwarded-for (with x-forwarded-proto) or forwarded. The other is not read: they may \
         pass on what a client wrote there.",
    ),
    optional(
        "edge.cors_origins",
        "Other sites whose pages may call the API: origins (https://films.example) separated by commas, or *. Unset: none.",
    ),
    optional(
        "edge.tls_cert",
        "Certificate chain in PEM to serve HTTPS with. Read again on SIGHUP and when the file changes. Unset: plain HTTP.",
    ),
    optional("edge.tls_key", "The private key of edge.tls_cert, in PEM."),
    field(
        "edge.access_log",
        Kind::Text,
        "failed",
        "Which requests get a log line (target `access`): off, failed (errors but 429) or all, which costs microseconds each.",
    ),
    field(
        "edge.connections_per_address",
        Kind::Number(0, 1_000_000),
        "1000",
        "Connections that one address may have open; loopback and trusted proxies any number. 0: everybody.",
    ),
    field(
        "limits.preset",
        Kind::Text,
        "standard",
        "How many requests are taken: standard, strict, classic (100 in 15 minutes for each address) or off. In memory, by node.",
    ),
    optional(
        "limits.sign_in",
        "Signing in, registering and renewing, for each address: such as 100/1m, or off. Unset: by limits.preset.",
    ),
    optional(
        "limits.commands",
        "Changes, for each person or API key, or address of nobody: such as 600/1m. Unset: by limits.preset.",
    ),
    optional(
        "limits.queries",
        "Reading, the same: such as 3000/1m. Unset: by limits.preset.",
    ),
    optional(
        "limits.media",
        "Playlists, segments, pictures and files of the pages, the same: such as 30000/1m. Unset: by limits.preset.",
    ),
    optional(
        "limits.sockets",
        "Opening WebSockets, the same: such as 300/1m. Unset: by limits.preset.",
    ),
    secret(
        "mail.smtp_url",
        "The server that takes mail: smtps://user:password@host, or smtp:// with STARTTLS (`?tls=required`, as with a \
         password; `?tls=opportunistic`, as without; `?tls=none`). Unset: no mail is sent.",
    ),
    field(
        "mail.from",
        Kind::Text,
        "Spool <spool@localhost>",
        "Who mail comes from, as people see it.",
    ),
    optional(
        "mail.file",
        "For development: mail is appended to this file (mbox) instead of sent.",
    ),
    field(
        "mail.reset_link_seconds",
        Kind::Number(1, 31_536_000),
        "3600",
        "Life of a link for a new password.",
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
        "cluster.node",
        "Name of this node among those that share a log. Unset: the machine's name and the port listened on.",
    ),
    optional(
        "cluster.url",
        "Where other nodes reach this one, such as http://node-1:8080. Unset: the address listened on, or the machine's name where that is any.",
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
    secret(
        "kafka.properties",
        "Properties of librdkafka for TLS and SASL: name=value, one a line, or on one line separated by `;`.",
    ),
    optional(
        "cql.contact_points",
        "CQL servers, host:port separated by commas. One that answers is enough: it names the others.",
    ),
    field(
        "cql.keyspace",
        Kind::Text,
        "spool",
        "Keyspace of all tables. It is made if it is missing.",
    ),
    field(
        "cql.replication",
        Kind::Text,
        "1",
        "Nodes that keep each row, when the keyspace is made: a number, or so many by data centre (`east:3,west:3`).",
    ),
    optional(
        "cql.user",
        "Who this program is to the CQL servers. Unset: they ask for nobody.",
    ),
    secret("cql.password", "The password of cql.user."),
    optional(
        "cql.datacenter",
        "The data centre whose CQL servers are asked first. Unset: any.",
    ),
    field(
        "cql.consistency",
        Kind::Text,
        "local_quorum",
        "Replicas that must have answered: local_quorum, quorum or all.",
    ),
    field(
        "cql.request_timeout_ms",
        Kind::Number(100, 600_000),
        "5000",
        "A CQL server that has not answered within this many milliseconds is away.",
    ),
    optional(
        "s3.endpoint",
        "The S3 server, such as http://127.0.0.1:9000. Unset: Amazon's of the region.",
    ),
    field("s3.region", Kind::Text, "us-east-1", "The bucket's region."),
    optional("s3.bucket", "The bucket of all films."),
    optional(
        "s3.prefix",
        "Comes with a slash before every key, so that others can use the bucket too. Unset: nothing.",
    ),
    optional(
        "s3.access_key",
        "With whose rights. Unset: AWS_ACCESS_KEY_ID, AWS_SECRET_ACCESS_KEY and AWS_SESSION_TOKEN of the environment.",
    ),
    secret("s3.secret_key", "The secret of s3.access_key."),
    field(
        "s3.anonymous",
        Kind::Flag,
        "false",
        "Sign no request, for a server that asks nobody who they are.",
    ),
    field(
        "s3.path_style",
        Kind::Flag,
        "true",
        "Name the bucket in the path, as most servers want it; false: in the host's name, as Amazon's do.",
    ),
    field(
        "s3.create_bucket",
        Kind::Flag,
        "false",
        "Make the bucket if it is not there.",
    ),
    optional(
        "s3.browser_endpoint",
        "What browsers call the S3 server, where they are given signed addresses there. Unset: the same as s3.endpoint.",
    ),
    optional(
        "s3.cdn_url",
        "Where everybody can read the objects, for example a CDN before the bucket: segments and pictures of films that are not \
         private are fetched there. It has to allow the pages' origin. Unset: nowhere.",
    ),
];

impl Field {
    pub fn variable(&self) -> String {
        variable_of(self.key)
    }

    /// The section (empty for none) and the name within it.
    pub fn section_and_name(&self) -> (&'static str, &'static str) {
        self.key.split_once('.').unwrap_or(("", self.key))
    }
}

/// The environment variable of a key, which may have a name in it. A dash cannot stand in a variable.
pub(super) fn variable_of(key: &str) -> String {
    format!("SPOOL_{}", key.replace(['.', '-'], "_").to_uppercase())
}

//! A bucket of an S3 server as an object store: its settings, and how it is asked.
use std::path::PathBuf;
use std::sync::Arc;

use aws_sdk_s3::Client;
use aws_sdk_s3::config::{
    BehaviorVersion, Config, Credentials, Region, RequestChecksumCalculation, ResponseChecksumValidation,
};

use crate::{BlobError, key};

mod check;
mod cors;
mod direct;
mod failure;
mod multipart;
mod objects;
mod patience;
mod prefix;
mod read;
mod write;

pub use cors::Cors;
pub use direct::{Direct, Part, Shown, Signed, Upload};
pub(crate) use read::{Object, Reader};
pub(crate) use write::Writer;

/// Where the objects are. Messages name a setting by its field here, after `s3.`.
#[derive(Clone, Debug)]
pub struct S3Settings {
    /// `http://…` or `https://…`; without one it is Amazon's of the region.
    pub endpoint: Option<String>,
    pub region: String,
    pub bucket: String,
    /// Comes with a slash before every key, so that others can use the bucket too; empty for none.
    pub prefix: String,
    pub access: Access,
    /// Whether the bucket is named in the path, as most servers other than Amazon's want it, or in the host's name.
    pub path_style: bool,
    /// Makes the bucket if it is not there.
    pub create_bucket: bool,
    /// What browsers call the server, if that is not `endpoint`; in the addresses of [`Direct`].
    pub browser_endpoint: Option<String>,
    /// Where everybody can read the objects, for example a CDN before the bucket.
    pub cdn_url: Option<String>,
    /// Where objects are put that a program wants as a file; they have no name there.
    pub scratch_dir: PathBuf,
}

/// With whose rights.
#[derive(Clone)]
pub enum Access {
    Keys {
        access_key: String,
        secret_key: String,
    },
    /// `AWS_ACCESS_KEY_ID`, `AWS_SECRET_ACCESS_KEY` and, if it is there, `AWS_SESSION_TOKEN`.
    Environment,
    /// Requests are not signed.
    Anonymous,
}

impl Access {
    pub fn keys(access_key: impl Into<String>, secret_key: impl Into<String>) -> Self {
        Self::Keys {
            access_key: access_key.into(),
            secret_key: secret_key.into(),
        }
    }
}

impl std::fmt::Debug for Access {
    fn fmt(&self, out: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Keys { access_key, .. } => write!(out, "Keys({access_key}, redacted)"),
            Self::Environment => out.write_str("Environment"),
            Self::Anonymous => out.write_str("Anonymous"),
        }
    }
}

impl S3Settings {
    /// A bucket of a server that is not Amazon's.
    pub fn new(endpoint: &str, bucket: &str, access: Access) -> Self {
        Self {
            endpoint: Some(endpoint.to_owned()),
            region: "us-east-1".to_owned(),
            bucket: bucket.to_owned(),
            prefix: String::new(),
            access,
            path_style: true,
            create_bucket: false,
            browser_endpoint: None,
            cdn_url: None,
            scratch_dir: std::env::temp_dir(),
        }
    }
}

/// The bucket, and the clients that ask for it.
pub(crate) struct Bucket {
    client: Client,
    /// Makes addresses only, for who knows the server by another name.
    signing: Client,
    name: String,
    /// With its slash, or empty.
    prefix: String,
    /// For people.
    endpoint: String,
    create: bool,
    cdn_url: Option<String>,
    scratch_dir: PathBuf,
}

impl std::fmt::Debug for Bucket {
    fn fmt(&self, out: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(out, "Bucket({} at {})", self.name, self.endpoint)
    }
}

impl Bucket {
    /// Asks nobody yet.
    pub fn connect(settings: S3Settings) -> Result<Arc<Self>, BlobError> {
        let config = config(&settings)?;
        let signing = match &settings.browser_endpoint {
            None => config.clone(),
            Some(endpoint) => {
                let endpoint = url("browser_endpoint", endpoint)?;
                config.to_builder().endpoint_url(endpoint).build()
            }
        };
        let prefix = match settings.prefix.trim_end_matches('/') {
            "" => String::new(),
            prefix => {
                key::check(prefix).map_err(|error| BlobError::Setup(format!("s3.prefix: {error}")))?;
                format!("{prefix}/")
            }
        };
        let endpoint = settings
            .endpoint
            .unwrap_or_else(|| format!("Amazon S3 in {}", settings.region));
        let cdn_url = settings.cdn_url.map(|base| url("cdn_url", &base)).transpose()?;
        Ok(Arc::new(Self {
            client: Client::from_conf(config),
            signing: Client::from_conf(signing),
            name: settings.bucket,
            prefix,
            endpoint,
            create: settings.create_bucket,
            cdn_url,
            scratch_dir: settings.scratch_dir,
        }))
    }

    pub fn public_url(&self, key: &str) -> Option<String> {
        let base = self.cdn_url.as_ref()?;
        Some(format!("{base}/{}", self.name_of(key)))
    }

    /// What the server calls the object.
    fn name_of(&self, key: &str) -> String {
        format!("{}{key}", self.prefix)
    }

    /// The key of what the server calls so; `None` for what is not ours.
    fn key_of(&self, name: &str) -> Option<String> {
        name.strip_prefix(&self.prefix).map(str::to_owned)
    }
}

fn config(settings: &S3Settings) -> Result<Config, BlobError> {
    let config = Config::builder()
        .behavior_version(BehaviorVersion::latest())
        .region(Region::new(settings.region.clone()))
        .force_path_style(settings.path_style)
        .timeout_config(patience::small())
        .retry_config(patience::retries())
        .stalled_stream_protection(patience::stalls())
        // Checksums are asked for by name where they are wanted, so that addresses made for others carry none.
        .request_checksum_calculation(RequestChecksumCalculation::WhenRequired)
        .response_checksum_validation(ResponseChecksumValidation::WhenRequired);
    let config = match &settings.endpoint {
        None => config,
        Some(endpoint) => config.endpoint_url(url("endpoint", endpoint)?),
    };
    let config = match &settings.access {
        Access::Anonymous => config.allow_no_auth(),
        Access::Keys {
            access_key,
            secret_key,
        } => config.credentials_provider(Credentials::new(access_key, secret_key, None, None, "settings")),
        Access::Environment => config.credentials_provider(from_environment()?),
    };
    Ok(config.build())
}

fn from_environment() -> Result<Credentials, BlobError> {
    let variable = |name: &str| {
        std::env::var(name).map_err(|_| {
            BlobError::Setup(format!(
                "the object store needs credentials: set s3.access_key and s3.secret_key, or the variable {name}"
            ))
        })
    };
    let (access, secret) = (variable("AWS_ACCESS_KEY_ID")?, variable("AWS_SECRET_ACCESS_KEY")?);
    let token = std::env::var("AWS_SESSION_TOKEN").ok();
    Ok(Credentials::new(access, secret, token, None, "environment"))
}

fn url(setting: &str, text: &str) -> Result<String, BlobError> {
    let host = text
        .strip_prefix("http://")
        .or_else(|| text.strip_prefix("https://"));
    match host {
        Some(host) if !host.is_empty() && !host.starts_with('/') => Ok(text.trim_end_matches('/').to_owned()),
        _ => Err(BlobError::Setup(format!(
            "s3.{setting} must be an address that starts with http:// or https://, and is {text:?}"
        ))),
    }
}

//! HTTPS by rustls: a certificate from files, read again when they change or on SIGHUP.

use rustls::ServerConfig;
use rustls::crypto::aws_lc_rs;
use rustls::pki_types::pem::{Error as PemError, PemObject};
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use spool_platform::config;
use std::future::Future;
use std::path::{Path, PathBuf};
use std::sync::{Arc, PoisonError, RwLock};
use std::time::{Duration, SystemTime};
use tokio::net::TcpStream;
use tokio::signal::unix::{SignalKind, signal};
use tokio_rustls::TlsAcceptor;
use tokio_rustls::server::TlsStream;

/// A client that has not agreed on a key by then will not.
const HANDSHAKE_WITHIN: Duration = Duration::from_secs(10);
/// How often the files are looked at.
const LOOK_EVERY: Duration = Duration::from_secs(60);

/// A certificate to serve with. Clones share it.
#[derive(Clone)]
pub struct Tls(Arc<Inner>);

struct Inner {
    files: Files,
    serving: RwLock<Arc<ServerConfig>>,
}

struct Files {
    cert: PathBuf,
    key: PathBuf,
}

/// Why there is no certificate to serve with. One line, naming the setting and the file.
#[derive(Debug, thiserror::Error)]
pub enum TlsError {
    #[error("{setting} = {}: {problem}", path.display())]
    File {
        setting: &'static str,
        path: PathBuf,
        problem: String,
    },
    #[error("edge.tls_key = {} is no key for edge.tls_cert = {}: {source}", key.display(), cert.display())]
    Pair {
        cert: PathBuf,
        key: PathBuf,
        source: rustls::Error,
    },
}

impl Tls {
    /// Nothing if no certificate is configured.
    pub fn open(settings: &config::Edge) -> Result<Option<Self>, TlsError> {
        let (Some(cert), Some(key)) = (&settings.tls_cert, &settings.tls_key) else {
            return Ok(None);
        };
        let files = Files {
            cert: cert.clone(),
            key: key.clone(),
        };
        let serving = RwLock::new(files.read()?);
        Ok(Some(Self(Arc::new(Inner { files, serving }))))
    }

    /// Keeps up with the files, from SIGHUP on and when they change. New ones that are no good are told of, and the old
    /// ones go on serving. From this call on SIGHUP ends nothing; what it gives never ends.
    pub fn keep_up(self) -> std::io::Result<impl Future<Output = ()> + Send + 'static> {
        let mut hangup = signal(SignalKind::hangup())?;
        let mut seen = self.0.files.changed_at();
        Ok(async move {
            loop {
                tokio::select! {
                    _ = hangup.recv() => {}
                    () = tokio::time::sleep(LOOK_EVERY) => if self.0.files.changed_at() == seen { continue },
                }
                seen = self.0.files.changed_at();
                self.read_again();
            }
        })
    }

    fn read_again(&self) {
        let Inner { files, serving } = &*self.0;
        match files.read() {
            Ok(fresh) => {
                *serving.write().unwrap_or_else(PoisonError::into_inner) = fresh;
                tracing::info!(cert = %files.cert.display(), "serving with the certificate as it is now");
            }
            Err(error) => {
                tracing::error!(%error, "the certificate cannot be read again; the old one goes on serving");
            }
        }
    }

    /// Agrees on keys with a client.
    pub async fn greet(&self, stream: TcpStream) -> std::io::Result<TlsStream<TcpStream>> {
        let serving = Arc::clone(&self.0.serving.read().unwrap_or_else(PoisonError::into_inner));
        let greeting = TlsAcceptor::from(serving).accept(stream);
        tokio::time::timeout(HANDSHAKE_WITHIN, greeting).await?
    }
}

impl Files {
    fn read(&self) -> Result<Arc<ServerConfig>, TlsError> {
        let refused = |setting, path: &Path, error: PemError| TlsError::File {
            setting,
            path: path.to_owned(),
            problem: sentence(&error),
        };
        let cert_refused = |error| refused("edge.tls_cert", &self.cert, error);
        let chain = CertificateDer::pem_file_iter(&self.cert).map_err(cert_refused)?;
        let chain: Vec<_> = chain.collect::<Result<_, _>>().map_err(cert_refused)?;
        if chain.is_empty() {
            return Err(cert_refused(PemError::NoItemsFound));
        }
        let key = PrivateKeyDer::from_pem_file(&self.key)
            .map_err(|error| refused("edge.tls_key", &self.key, error))?;
        let not_a_pair = |source| TlsError::Pair {
            cert: self.cert.clone(),
            key: self.key.clone(),
            source,
        };
        let builder = ServerConfig::builder_with_provider(Arc::new(aws_lc_rs::default_provider()))
            .with_safe_default_protocol_versions()
            .map_err(not_a_pair)?;
        let mut serving = builder
            .with_no_client_auth()
            .with_single_cert(chain, key)
            .map_err(not_a_pair)?;
        serving.alpn_protocols = vec![b"h2".to_vec(), b"http/1.1".to_vec()];
        Ok(Arc::new(serving))
    }

    fn changed_at(&self) -> [Option<SystemTime>; 2] {
        [&self.cert, &self.key].map(|path| path.metadata().and_then(|file| file.modified()).ok())
    }
}

fn sentence(error: &PemError) -> String {
    match error {
        PemError::Io(error) => error.to_string(),
        PemError::NoItemsFound => "there is nothing of that kind in it, in PEM".to_owned(),
        error => format!("it is not PEM: {error}"),
    }
}

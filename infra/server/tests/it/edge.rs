//! The edge of the real binary: HTTPS, proxies, limits, the access log, and a stop that lets nobody down.

use std::io::{Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::path::Path;
use std::time::Duration;

use anyhow::{Context, Result, ensure};
use reqwest::{Certificate, Client, ClientBuilder, StatusCode, Version};

use crate::server::{Server, Setup};
use crate::waiting::within;

const SOON: Duration = Duration::from_secs(60);

fn setup_in(folder: &Path) -> Setup {
    Setup::new(folder.join("data"), folder.join("server.log"))
}

/// Makes a certificate for `localhost` that nobody has vouched for, and its key; returns the certificate.
fn new_certificate(folder: &Path) -> Result<Certificate> {
    let made = rcgen::generate_simple_self_signed(vec!["localhost".to_owned()])?;
    let pem = made.cert.pem();
    std::fs::write(folder.join("cert.pem"), &pem)?;
    std::fs::write(folder.join("key.pem"), made.signing_key.serialize_pem())?;
    Ok(Certificate::from_pem(pem.as_bytes())?)
}

fn with_tls(folder: &Path) -> Setup {
    let path = |name| folder.join(name).display().to_string();
    setup_in(folder)
        .with("EDGE_TLS_CERT", &path("cert.pem"))
        .with("EDGE_TLS_KEY", &path("key.pem"))
}

/// Believes this certificate and no other.
fn believing(certificate: &Certificate) -> ClientBuilder {
    Client::builder()
        .timeout(Duration::from_secs(10))
        .tls_certs_only([certificate.clone()])
}

/// `https://localhost` with the port of `server`, which listens on 127.0.0.1.
fn url(server: &Server, path: &str) -> String {
    format!("https://localhost:{}{path}", server.address().port())
}

async fn reached(server: &Server, client: &Client) -> Result<()> {
    within(SOON, "an answer by HTTPS", async || {
        let answer = client.get(url(server, "/health/ready")).send().await;
        Ok(match answer {
            Ok(answer) if answer.status().is_success() => Ok(()),
            Ok(answer) => Err(format!("answered {}", answer.status())),
            Err(error) => Err(format!("{error:?}")),
        })
    })
    .await
}

#[tokio::test]
async fn https_is_spoken_with_a_certificate_in_http_1_and_2() -> Result<()> {
    let folder = tempfile::tempdir()?;
    let certificate = new_certificate(folder.path())?;
    let server = with_tls(folder.path()).spawn()?;
    let both = believing(&certificate).build()?;
    reached(&server, &both).await.with_context(|| server.said())?;
    let one = believing(&certificate).http1_only().build()?;
    for (client, version) in [(&both, Version::HTTP_2), (&one, Version::HTTP_11)] {
        let answer = client.get(url(&server, "/api/videos")).send().await?;
        ensure!(answer.status() == StatusCode::OK, "{answer:?}");
        ensure!(answer.version() == version, "{answer:?}");
        let hsts = answer.headers().get("strict-transport-security");
        ensure!(
            hsts.is_some_and(|value| value == "max-age=31536000"),
            "{answer:?}"
        );
    }
    let plain = reqwest::get(format!("{}/health/live", server.base())).await;
    ensure!(plain.is_err(), "plain HTTP was answered: {plain:?}");
    server.stop().await
}

#[tokio::test]
async fn a_new_certificate_is_taken_without_a_restart_and_a_broken_one_is_not() -> Result<()> {
    let folder = tempfile::tempdir()?;
    let first = believing(&new_certificate(folder.path())?).build()?;
    let server = with_tls(folder.path()).spawn()?;
    reached(&server, &first).await.with_context(|| server.said())?;

    let second = believing(&new_certificate(folder.path())?);
    // Connections that are open already go on with the old one.
    let second = second.pool_max_idle_per_host(0).build()?;
    server.hang_up()?;
    reached(&server, &second).await.with_context(|| server.said())?;

    std::fs::write(folder.path().join("key.pem"), "no key at all")?;
    server.hang_up()?;
    within(SOON, "a word about the broken key", async || {
        let said = server.said();
        Ok(
            if said.contains("the old one goes on serving") && said.contains("key.pem") {
                Ok(())
            } else {
                Err(said)
            },
        )
    })
    .await?;
    reached(&server, &second).await?;
    server.stop().await
}

#[tokio::test]
async fn a_wrong_certificate_or_key_is_named_in_one_line() -> Result<()> {
    let folder = tempfile::tempdir()?;
    let data = folder.path().join("data").display().to_string();
    let said = async || {
        let words = ["serve", "--listen", "127.0.0.1:0", "--data", &data];
        let output = with_tls(folder.path()).run(&words).await?;
        ensure!(!output.status.success(), "it started");
        Ok(String::from_utf8(output.stderr)?)
    };
    let check = async |what: &str, expected: &str| {
        let line = said().await?;
        ensure!(
            line.contains(what) && line.contains(expected),
            "{line:?} should say {what}: {expected}"
        );
        ensure!(
            line.trim_end().lines().count() == 1,
            "{line:?} has more than one line"
        );
        Ok(())
    };
    check("edge.tls_cert", "cert.pem: No such file").await?;
    new_certificate(folder.path())?;
    let (cert, key) = (folder.path().join("cert.pem"), folder.path().join("key.pem"));
    std::fs::rename(&key, folder.path().join("old-key.pem"))?;
    check("edge.tls_key", "key.pem: No such file").await?;
    std::fs::write(&key, "no key at all")?;
    check("edge.tls_key", "there is nothing of that kind in it").await?;
    new_certificate(folder.path())?;
    std::fs::rename(folder.path().join("old-key.pem"), &key)?;
    check("edge.tls_key", "is no key for edge.tls_cert").await?;
    std::fs::write(
        &cert,
        "-----BEGIN CERTIFICATE-----\n%%%\n-----END CERTIFICATE-----\n",
    )?;
    check("edge.tls_cert", "it is not PEM").await
}

/// The answers to as many readings of the catalogue, each said to be for one of these addresses.
async fn read_for(server: &Server, clients: &[&str]) -> Result<Vec<u16>> {
    let (http, url) = (
        Client::new(),
        format!("{}/api/videos?signature=s3cret", server.base()),
    );
    let mut statuses = vec![];
    for client in clients {
        let answer = http.get(&url).header("X-Forwarded-For", *client).send().await?;
        ensure!(answer.headers().contains_key("ratelimit"), "{answer:?}");
        statuses.push(answer.status().as_u16());
    }
    Ok(statuses)
}

#[tokio::test]
async fn proxies_are_believed_about_their_clients_only_when_they_are_trusted() -> Result<()> {
    let folder = tempfile::tempdir()?;
    let setup = setup_in(folder.path()).with("LIMITS_QUERIES", "2/1h");
    let clients = [
        "198.51.100.7",
        "198.51.100.7",
        "203.0.113.9",
        "198.51.100.7, 203.0.113.9",
    ];

    let server = setup.start().await?;
    let statuses = read_for(&server, &clients).await?;
    ensure!(statuses == [200, 200, 429, 429], "without trust: {statuses:?}");
    server.stop().await?;

    let trusting = setup
        .with("EDGE_TRUSTED_PROXIES", "127.0.0.0/8")
        .with("EDGE_ACCESS_LOG", "all");
    let server = trusting.start().await?;
    let statuses = read_for(&server, &clients).await?;
    ensure!(statuses == [200, 200, 200, 200], "with trust: {statuses:?}");
    let statuses = read_for(&server, &["203.0.113.9"]).await?;
    ensure!(statuses == [429], "with trust, once more: {statuses:?}");

    let said = server.said();
    let line = said
        .lines()
        .rfind(|line| line.contains("access"))
        .context("no line of access")?;
    for part in ["/api/videos", "429", "203.0.113.0/24"] {
        ensure!(line.contains(part), "{part} is not in {line}");
    }
    for secret in ["203.0.113.9", "s3cret"] {
        ensure!(!said.contains(secret), "{secret} is in {said}");
    }
    server.stop().await
}

#[tokio::test]
async fn a_request_under_way_at_the_stop_is_answered_and_nobody_new_is_let_in() -> Result<()> {
    let folder = tempfile::tempdir()?;
    let mut server = setup_in(folder.path()).start().await?;
    let address = server.address();
    let body = r#"{"email":"nobody@example.org","password":"battery staple"}"#;
    let mut under_way = begun(address, body.len())?;

    server.terminate()?;
    within(SOON, "a closed door", async || {
        Ok(match TcpStream::connect(address) {
            Ok(_) => Err("a new connection was taken".to_owned()),
            Err(_) => Ok(()),
        })
    })
    .await?;
    under_way.write_all(body.as_bytes())?;
    let mut answer = String::new();
    under_way.read_to_string(&mut answer)?;
    ensure!(answer.starts_with("HTTP/1.1 401 "), "{answer}");
    ensure!(
        answer.to_ascii_lowercase().contains("connection: close"),
        "{answer}"
    );
    ensure!(
        answer.contains("the e-mail address or the password is wrong"),
        "{answer}"
    );
    let status = server.ended(SOON).await?;
    ensure!(status.success(), "{status}: {}", server.said());
    Ok(())
}

/// A request whose head has been read and whose body is waited for: the server says so.
fn begun(address: SocketAddr, length: usize) -> Result<TcpStream> {
    let mut stream = TcpStream::connect(address)?;
    stream.set_read_timeout(Some(SOON))?;
    let head = format!(
        "POST /api/auth/login HTTP/1.1\r\nHost: {address}\r\nContent-Type: application/json\r\nContent-Length: {length}\r\n\
         Expect: 100-continue\r\n\r\n"
    );
    stream.write_all(head.as_bytes())?;
    let expected = b"HTTP/1.1 100 Continue\r\n\r\n";
    let mut heard = [0; 25];
    stream.read_exact(&mut heard)?;
    ensure!(heard == *expected, "{:?}", String::from_utf8_lossy(&heard));
    Ok(stream)
}

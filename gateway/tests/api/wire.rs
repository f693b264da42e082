//! What clients do to connections: bodies too large, cut off, or never sent.

use crate::forms::{film, upload_form};
use crate::serving::{SOON, Served};
use crate::world::World;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

/// Sends everything, also after the server has answered, and then reads the answer's first line.
async fn status_after(served: &Served, head: &str, body: &[u8]) -> String {
    let mut stream = TcpStream::connect(&served.address).await.expect("it listens");
    stream.write_all(head.as_bytes()).await.expect("the head is read");
    for piece in body.chunks(64 * 1024) {
        stream
            .write_all(piece)
            .await
            .expect("a refused body is read on for a while");
    }
    let mut answer = vec![0; 4096];
    let read = tokio::time::timeout(SOON, stream.read(&mut answer))
        .await
        .expect("an answer comes");
    let answer = String::from_utf8_lossy(&answer[..read.expect("the answer is not lost")]).into_owned();
    answer.lines().next().unwrap_or_default().to_owned()
}

#[tokio::test(flavor = "multi_thread")]
async fn whoever_sends_too_much_gets_to_read_why_it_was_refused() {
    let world = World::open_with(|config| config.uploads.max_bytes = 1_000_000).await;
    let served = Served::serve(&world).await;
    let ada = world.person("ada").await;
    let upload = format!(
        "POST /api/storage/upload/video HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer {}\r\n\
         Content-Type: multipart/form-data; boundary=x\r\nContent-Length: 5368709120\r\n\r\n",
        ada.access_token
    );
    assert_eq!(
        status_after(&served, &upload, &[b'x'; 4 << 20]).await,
        "HTTP/1.1 413 Payload Too Large"
    );
    assert_eq!(
        status_after(&served, &upload, b"").await,
        "HTTP/1.1 413 Payload Too Large"
    );
    let anonymous = upload.replace(&ada.access_token, "a.b.c");
    assert_eq!(
        status_after(&served, &anonymous, &[b'x'; 4 << 20]).await,
        "HTTP/1.1 401 Unauthorized"
    );
    let json = "POST /api/auth/login HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\nContent-Length: 4194304\r\n\r\n";
    assert_eq!(
        status_after(&served, json, &[b' '; 4 << 20]).await,
        "HTTP/1.1 413 Payload Too Large"
    );
    assert!(world.stored().is_empty());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_client_that_goes_away_in_the_middle_of_a_film_leaves_nothing() {
    let world = World::open().await;
    let served = Served::serve(&world).await;
    let ada = world.person("ada").await;
    let (content_type, body) = upload_form("One", "a.mp4", &film(5 << 20));
    let head = format!(
        "POST /api/storage/upload/video HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer {}\r\n\
         Content-Type: {content_type}\r\nContent-Length: {}\r\n\r\n",
        ada.access_token,
        body.len()
    );
    for end in [100, 300_000, 4 << 20] {
        let mut stream = TcpStream::connect(&served.address).await.expect("it listens");
        stream.write_all(head.as_bytes()).await.expect("the head is read");
        stream.write_all(&body[..end]).await.expect("the body is read");
        drop(stream);
    }
    served.stop().await;
    world.settled().await;
    assert!(world.stored().is_empty(), "{:?}", world.stored());
    assert_eq!(world.commits_about_films(), 0);
}

//! A small load generator: each connection sends its requests in turn and reads the whole answer before the next.

use memchr::memmem;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::{Duration, Instant};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

pub struct Load {
    address: SocketAddr,
    /// Of each connection, the requests that it repeats.
    requests: Vec<Arc<Vec<Vec<u8>>>>,
}

/// What came of one round.
pub struct Round {
    pub per_second: f64,
    pub p50_ms: f64,
    pub p99_ms: f64,
    /// CPU time of the whole process for each request, in microseconds: of the server, and of this load as well.
    pub cpu_us: f64,
}

impl Load {
    pub fn new(address: SocketAddr, requests: Vec<Vec<Vec<u8>>>) -> Self {
        Self {
            address,
            requests: requests.into_iter().map(Arc::new).collect(),
        }
    }

    /// The body of one answer.
    pub async fn once(&self) -> Vec<u8> {
        let mut connection = Connection::open(self.address).await;
        connection.ask(&self.requests[0][0]).await;
        connection.body().to_vec()
    }

    /// All connections, for `length`.
    pub async fn run(&self, length: Duration) -> Round {
        let (begun, cpu_before) = (Instant::now(), cpu_seconds());
        let until = begun + length;
        let connections = self.requests.iter().map(|requests| {
            let (address, requests) = (self.address, Arc::clone(requests));
            tokio::spawn(async move { repeat(address, &requests, until).await })
        });
        let mut micros = vec![];
        for connection in connections.collect::<Vec<_>>() {
            micros.extend(connection.await.expect("a connection does not panic"));
        }
        let (seconds, cpu) = (begun.elapsed().as_secs_f64(), cpu_seconds() - cpu_before);
        micros.sort_unstable();
        let at = |part: f64| f64::from(micros[((micros.len() - 1) as f64 * part) as usize]) / 1000.0;
        Round {
            per_second: micros.len() as f64 / seconds,
            p50_ms: at(0.5),
            p99_ms: at(0.99),
            cpu_us: cpu * 1e6 / micros.len() as f64,
        }
    }
}

/// How long each answer took, in microseconds.
async fn repeat(address: SocketAddr, requests: &[Vec<u8>], until: Instant) -> Vec<u32> {
    let mut connection = Connection::open(address).await;
    let mut micros = vec![];
    for request in requests.iter().cycle() {
        let begun = Instant::now();
        if begun >= until {
            break;
        }
        connection.ask(request).await;
        micros.push(u32::try_from(begun.elapsed().as_micros()).unwrap_or(u32::MAX));
    }
    micros
}

struct Connection {
    stream: TcpStream,
    buffer: Vec<u8>,
    filled: usize,
    body_at: usize,
}

impl Connection {
    async fn open(address: SocketAddr) -> Self {
        let stream = TcpStream::connect(address).await.expect("the server listens");
        stream.set_nodelay(true).expect("a socket takes options");
        Self {
            stream,
            buffer: vec![0; 64 * 1024],
            filled: 0,
            body_at: 0,
        }
    }

    async fn ask(&mut self, request: &[u8]) {
        self.stream.write_all(request).await.expect("the server reads");
        self.filled = 0;
        loop {
            if self.filled == self.buffer.len() {
                self.buffer.resize(self.filled * 2, 0);
            }
            let read = self
                .stream
                .read(&mut self.buffer[self.filled..])
                .await
                .expect("the server answers");
            assert!(read > 0, "the server closed the connection: {}", self.text());
            self.filled += read;
            if let Some((body_at, length)) = head(&self.buffer[..self.filled])
                && self.filled >= body_at + length
            {
                self.body_at = body_at;
                assert_eq!(self.buffer.get(9..12), Some(&b"200"[..]), "{}", self.text());
                return;
            }
        }
    }

    fn body(&self) -> &[u8] {
        &self.buffer[self.body_at..self.filled]
    }

    fn text(&self) -> String {
        String::from_utf8_lossy(&self.buffer[..self.filled]).into_owned()
    }
}

/// Of all threads of this process, as Linux counts it, in hundredths.
fn cpu_seconds() -> f64 {
    let stat = std::fs::read_to_string("/proc/self/stat").unwrap_or_default();
    let after_the_name = stat.rsplit(')').next().unwrap_or_default();
    let ticks = after_the_name.split_whitespace().skip(11).take(2);
    ticks.filter_map(|ticks| ticks.parse::<f64>().ok()).sum::<f64>() / 100.0
}

/// Where the body begins, and its length.
fn head(answer: &[u8]) -> Option<(usize, usize)> {
    let end = memmem::find(answer, b"\r\n\r\n")?;
    // As hyper writes it.
    let at = memmem::find(&answer[..end], b"content-length: ")? + b"content-length: ".len();
    let digits = answer[at..end].iter().take_while(|byte| byte.is_ascii_digit());
    let length = digits.fold(0, |length, digit| length * 10 + usize::from(digit - b'0'));
    Some((end + 4, length))
}

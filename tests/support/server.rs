//! A small web server that answers as it is told.

use std::{
    io,
    sync::{
        Arc, Mutex,
        atomic::{AtomicUsize, Ordering},
    },
};

use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::{TcpListener, TcpStream},
    task::JoinHandle,
};

/// A request as it came in.
#[derive(Clone)]
pub(crate) struct Received {
    /// The request line and the headers, in lower case.
    pub(crate) head: String,
    /// The path as it was sent.
    pub(crate) path: String,
    pub(crate) body: String,
}

impl Received {
    /// The value of a header, in lower case.
    pub(crate) fn header(&self, name: &str) -> Option<&str> {
        self.head.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(": "))
    }
}

/// What the server does with a request.
pub(crate) enum Reply {
    /// Writes this.
    Text(String),
    /// Writes this and then nothing more, with the connection open.
    ThenSilence(String),
    /// Writes this and closes the connection.
    ThenClose(String),
    /// Writes this and then megabytes without end, in chunks.
    Endless(String),
}

/// A whole answer with a status, such as `200 OK`, more header lines, and a body.
pub(crate) fn reply(status: &str, headers: &str, body: &str) -> Reply {
    Reply::Text(format!(
        "HTTP/1.1 {status}\r\ncontent-length: {}\r\n{headers}\r\n{body}",
        body.len()
    ))
}

/// A server on a port of its own, until it is dropped.
pub(crate) struct Server {
    pub(crate) address: String,
    received: Arc<Mutex<Vec<Received>>>,
    connections: Arc<AtomicUsize>,
    megabytes: Arc<AtomicUsize>,
    task: JoinHandle<()>,
}

impl Server {
    pub(crate) async fn start(answer: impl Fn(&Received) -> Reply + Send + Sync + 'static) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = format!("http://{}", listener.local_addr().unwrap());
        let received = Arc::new(Mutex::new(Vec::new()));
        let connections = Arc::new(AtomicUsize::new(0));
        let megabytes = Arc::new(AtomicUsize::new(0));
        let answer = Arc::new(answer);
        let task = tokio::spawn({
            let (received, connections, megabytes) =
                (Arc::clone(&received), Arc::clone(&connections), Arc::clone(&megabytes));
            async move {
                while let Ok((stream, _)) = listener.accept().await {
                    connections.fetch_add(1, Ordering::SeqCst);
                    let (received, megabytes) = (Arc::clone(&received), Arc::clone(&megabytes));
                    let answer = Arc::clone(&answer);
                    tokio::spawn(async move {
                        // A client may go away whenever it likes.
                        let _ = serve(stream, &*answer, &received, &megabytes).await;
                    });
                }
            }
        });
        Self { address, received, connections, megabytes, task }
    }

    /// The requests so far.
    pub(crate) fn received(&self) -> Vec<Received> {
        self.received.lock().unwrap().clone()
    }

    pub(crate) fn connections(&self) -> usize {
        self.connections.load(Ordering::SeqCst)
    }

    /// How much of an endless answer was written.
    pub(crate) fn megabytes(&self) -> usize {
        self.megabytes.load(Ordering::SeqCst)
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        self.task.abort();
    }
}

async fn serve(
    mut stream: TcpStream,
    answer: &(impl Fn(&Received) -> Reply + Sync),
    log: &Mutex<Vec<Received>>,
    megabytes: &AtomicUsize,
) -> io::Result<()> {
    let mut pending = Vec::new();
    while let Some(request) = receive(&mut stream, &mut pending).await? {
        log.lock().unwrap().push(request.clone());
        match answer(&request) {
            Reply::Text(text) => stream.write_all(text.as_bytes()).await?,
            Reply::ThenClose(text) => return stream.write_all(text.as_bytes()).await,
            Reply::ThenSilence(text) => {
                stream.write_all(text.as_bytes()).await?;
                std::future::pending::<()>().await;
            }
            Reply::Endless(text) => {
                stream.write_all(text.as_bytes()).await?;
                let chunk = format!("100000\r\n{}\r\n", "x".repeat(1 << 20));
                loop {
                    stream.write_all(chunk.as_bytes()).await?;
                    megabytes.fetch_add(1, Ordering::SeqCst);
                }
            }
        }
    }
    Ok(())
}

async fn receive(stream: &mut TcpStream, pending: &mut Vec<u8>) -> io::Result<Option<Received>> {
    let head_end = loop {
        if let Some(at) = pending.windows(4).position(|window| window == b"\r\n\r\n") {
            break at + 4;
        }
        if stream.read_buf(pending).await? == 0 {
            return Ok(None);
        }
    };
    let head = String::from_utf8_lossy(&pending[..head_end]).into_owned();
    let path = head.split(' ').nth(1).unwrap_or_default().to_owned();
    let mut request = Received { head: head.to_lowercase(), path, body: String::new() };
    let length: usize = request.header("content-length").map_or(0, |n| n.parse().unwrap());
    while pending.len() < head_end + length {
        if stream.read_buf(pending).await? == 0 {
            return Ok(None);
        }
    }
    request.body = String::from_utf8_lossy(&pending[head_end..head_end + length]).into_owned();
    pending.drain(..head_end + length);
    Ok(Some(request))
}

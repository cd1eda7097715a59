//! A listener that answers and runs nothing: what the load generator can do by itself.

use std::{
    io::{Read as _, Write as _},
    net::{SocketAddr, TcpListener, TcpStream},
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    thread,
};

use crate::{load::Load, small};

/// A thread for each connection, which answers whatever comes and ends with it. The one that accepts ends when this is
/// dropped.
pub struct Responder {
    address: SocketAddr,
    ended: Arc<AtomicBool>,
}

impl Responder {
    pub fn start() -> anyhow::Result<Self> {
        let listener = TcpListener::bind("127.0.0.1:0")?;
        let address = listener.local_addr()?;
        let ended = Arc::new(AtomicBool::new(false));
        let end = Arc::clone(&ended);
        thread::spawn(move || {
            for stream in listener.incoming().map_while(Result::ok) {
                if end.load(Ordering::Relaxed) {
                    return;
                }
                thread::spawn(move || answer(stream));
            }
        });
        Ok(Self { address, ended })
    }

    /// The request of the small case, to this.
    pub fn load(&self) -> Load {
        Load::post(self.address, "/", small::TYPE, small::INPUT, small::ANSWER)
    }
}

impl Drop for Responder {
    fn drop(&mut self) {
        self.ended.store(true, Ordering::Relaxed);
        // Wakes the thread that accepts, which may have ended already.
        let _ = TcpStream::connect(self.address);
    }
}

/// Each request comes in one piece: it is far smaller than a segment.
fn answer(mut stream: TcpStream) {
    let head = format!("HTTP/1.1 200 OK\r\nContent-Length: {}\r\n\r\n", small::ANSWER.len());
    let text = [head.as_bytes(), small::ANSWER].concat();
    if stream.set_nodelay(true).is_err() {
        return;
    }
    let mut piece = [0; 4096];
    while matches!(stream.read(&mut piece), Ok(count) if count > 0) {
        if stream.write_all(&text).is_err() {
            return;
        }
    }
}

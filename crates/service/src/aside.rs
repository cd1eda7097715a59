//! Work that blocks, on a thread of its own for once.
//!
//! tokio's blocking pool is not used: it panics where the kernel refuses its first thread.

use std::{io, thread};

use tokio::sync::oneshot;

/// Runs `work` on a thread named `name`. Dropping the future does not stop it.
///
/// # Errors
/// The kernel refuses the thread, or the work panicked.
pub async fn aside<T: Send + 'static>(name: &str, work: impl FnOnce() -> T + Send + 'static) -> io::Result<T> {
    let (tell, told) = oneshot::channel();
    let thread = thread::Builder::new().name(name.to_owned()).spawn(move || drop(tell.send(work())));
    thread.map_err(|error| io::Error::new(error.kind(), format!("cannot start a thread: {error}")))?;
    told.await.map_err(|_| io::Error::other(format!("the thread {name} broke down; see bandog's log")))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn the_result_comes_back_and_a_panic_is_an_error() {
        assert_eq!(aside("sum", || 1 + 1).await.expect("done"), 2);
        let broken = aside("panic", || panic!("on purpose")).await.map(|(): ()| ());
        assert!(broken.expect_err("no result").to_string().contains("broke down"));
    }
}

//! Ids that nobody else has: random UUIDs (RFC 9562, version 4), with the kernel asked for many at a time.

use std::cell::RefCell;

use rustix::{
    io::Errno,
    rand::{GetRandomFlags, getrandom},
};
use uuid::{Builder, Uuid};

/// Bytes of an id.
const ID: usize = size_of::<uuid::Bytes>();

/// Bytes fetched at once: what getrandom(2) gives whole, whatever signals come.
const STOCK: usize = 256;

/// Random bytes of a thread's own.
struct Stock {
    bytes: [u8; STOCK],
    left: usize,
}

thread_local! {
    static STOCK_OF_THREAD: RefCell<Stock> = const { RefCell::new(Stock { bytes: [0; STOCK], left: 0 }) };
}

/// A new id.
///
/// # Panics
/// The kernel has no random numbers to give: it is older than bandog can run on, or a filter forbids it.
#[must_use]
pub fn random() -> Uuid {
    STOCK_OF_THREAD.with_borrow_mut(|stock| {
        if stock.left == 0 {
            stock.fill();
        }
        stock.left -= ID;
        let mut bytes = [0; ID];
        bytes.copy_from_slice(&stock.bytes[stock.left..stock.left + ID]);
        Builder::from_random_bytes(bytes).into_uuid()
    })
}

impl Stock {
    fn fill(&mut self) {
        loop {
            match getrandom(&mut self.bytes[..], GetRandomFlags::empty()) {
                Ok(STOCK) => break,
                // Only before the kernel has gathered enough, soon after the machine's start (getrandom(2)).
                Ok(_) | Err(Errno::INTR) => {}
                Err(error) => panic!("the kernel gives no random numbers: {error}"),
            }
        }
        self.left = STOCK;
    }
}

#[cfg(test)]
mod tests {
    use std::{collections::HashSet, thread};

    use super::*;

    #[test]
    fn no_two_ids_are_alike_in_a_thread_or_across_threads() {
        let some = || (0..100).map(|_| random()).collect::<Vec<_>>();
        let other = thread::spawn(some).join().expect("ids");
        let all: HashSet<Uuid> = some().into_iter().chain(other).collect();
        assert_eq!(all.len(), 200);
        assert!(all.iter().all(|id| id.get_version_num() == 4));
    }
}

//! Ids that nobody else has: random UUIDs (RFC 9562, version 4), with the kernel asked for many at a time.

use std::cell::RefCell;

use rustix::{
    io::Errno,
    rand::{GetRandomFlags, getrandom},
};
use uuid::{Builder, Uuid};

/// Bytes of an id.
const ID_SIZE: usize = size_of::<uuid::Bytes>();

/// Bytes fetched at once: what getrandom(2) gives whole, whatever signals come.
const POOL_SIZE: usize = 256;

/// Random bytes of a thread's own.
struct RandomPool {
    bytes: [u8; POOL_SIZE],
    left: usize,
}

thread_local! {
    static POOL: RefCell<RandomPool> = const { RefCell::new(RandomPool { bytes: [0; POOL_SIZE], left: 0 }) };
}

/// A new id.
///
/// # Panics
/// The kernel has no random numbers to give: it is older than bandog can run on, or a filter forbids it.
#[must_use]
pub fn random() -> Uuid {
    POOL.with_borrow_mut(|pool| {
        if pool.left == 0 {
            pool.fill();
        }
        pool.left -= ID_SIZE;
        let mut bytes = [0; ID_SIZE];
        bytes.copy_from_slice(&pool.bytes[pool.left..pool.left + ID_SIZE]);
        Builder::from_random_bytes(bytes).into_uuid()
    })
}

impl RandomPool {
    fn fill(&mut self) {
        loop {
            match getrandom(&mut self.bytes[..], GetRandomFlags::empty()) {
                Ok(POOL_SIZE) => break,
                // Only before the kernel has gathered enough, soon after the machine's start (getrandom(2)).
                Ok(_) | Err(Errno::INTR) => {}
                Err(error) => panic!("the kernel gives no random numbers: {error}"),
            }
        }
        self.left = POOL_SIZE;
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

//! Unique ids: random UUIDs (RFC 9562, version 4). Each thread fetches random bytes for several ids in one system call.

use std::{cell::RefCell, fs::File, io::Read as _};

use rustix::{
    io::Errno,
    rand::{GetRandomFlags, getrandom},
};
use uuid::{Builder, Uuid};

/// The size of an id, in bytes.
const ID_SIZE: usize = size_of::<uuid::Bytes>();

/// The number of bytes fetched at once: the most that getrandom(2) returns whole even if a signal arrives.
const POOL_SIZE: usize = 256;

/// The random bytes that a thread has in stock.
struct RandomPool {
    bytes: [u8; POOL_SIZE],
    left: usize,
}

thread_local! {
    static POOL: RefCell<RandomPool> = const { RefCell::new(RandomPool { bytes: [0; POOL_SIZE], left: 0 }) };
}

/// Returns a new id.
///
/// # Panics
/// If getrandom(2) fails (a seccomp filter forbids the call), and there is no `/dev/urandom` either.
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
                // A short read happens only soon after boot, before the kernel has gathered enough entropy
                // (getrandom(2)).
                Ok(_) | Err(Errno::INTR) => {}
                Err(error) => {
                    let read = File::open("/dev/urandom").and_then(|mut file| file.read_exact(&mut self.bytes));
                    read.unwrap_or_else(|other| panic!("getrandom: {error}; /dev/urandom: {other}"));
                    break;
                }
            }
        }
        self.left = POOL_SIZE;
    }
}

/// Hexadecimal digits in the name of an instance.
const INSTANCE_DIGITS: usize = 12;

/// A name for one instance of bandog, which its directories and cgroups contain.
#[must_use]
pub fn instance() -> String {
    let mut name = random().simple().to_string();
    name.truncate(INSTANCE_DIGITS);
    name
}

/// Whether `name` has the form of those of [`instance`]. Only what has such a name is ever removed as a leftover: other
/// directories and cgroups may begin with `bandog-` too, and are not ours.
#[must_use]
pub fn is_instance(name: &[u8]) -> bool {
    name.len() == INSTANCE_DIGITS && name.iter().all(|byte| matches!(byte, b'0'..=b'9' | b'a'..=b'f'))
}

#[cfg(test)]
mod tests {
    use std::{collections::HashSet, thread};

    use super::*;

    #[test]
    fn the_name_of_an_instance_is_known_from_those_that_are_like_it() {
        assert!(is_instance(instance().as_bytes()) && instance() != instance());
        for name in ["", "worker.service", "0123456789a", "0123456789abc", "0123456789aB", "0123456789ag"] {
            assert!(!is_instance(name.as_bytes()), "{name}");
        }
    }

    #[test]
    fn ids_differ_within_a_thread_and_across_threads() {
        let some = || (0..100).map(|_| random()).collect::<Vec<_>>();
        let other = thread::spawn(some).join().expect("ids");
        let all: HashSet<Uuid> = some().into_iter().chain(other).collect();
        assert_eq!(all.len(), 200);
        assert!(all.iter().all(|id| id.get_version_num() == 4));
    }
}

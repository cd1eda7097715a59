//! Reaping of orphans: processes whose parent has ended, and which have become bandog's children.

use std::sync::{PoisonError, RwLock, RwLockReadGuard};

/// Locked for writing while orphans are reaped, for reading while they are examined.
static REAPING: RwLock<()> = RwLock::new(());

/// Keeps orphans from being reaped while the guard lives, so that one that ends in the meantime can still be identified
/// by its zombie.
pub(crate) fn keep_zombies() -> RwLockReadGuard<'static, ()> {
    REAPING.read().unwrap_or_else(PoisonError::into_inner)
}

/// Reaps every orphan that has ended. Returns whether there are any orphans, ended or not.
pub(crate) fn reap_orphans() -> bool {
    let _alone = REAPING.write().unwrap_or_else(PoisonError::into_inner);
    let (reaped, others) = reap_children();
    reaped || others
}

/// Reaps every child of the calling thread that has ended. Returns whether there were any, and whether others are left.
pub(crate) fn reap_children() -> (bool, bool) {
    // `__WALL` includes children that send no signal when they end, which clone(2) can create.
    let flags = libc::WNOHANG | libc::__WNOTHREAD | libc::__WALL;
    let mut reaped = false;
    loop {
        // SAFETY: no status is asked for, so nothing is written.
        match unsafe { libc::waitpid(-1, std::ptr::null_mut(), flags) } {
            0 => return (reaped, true),
            pid if pid > 0 => reaped = true,
            _ => return (reaped, false),
        }
    }
}

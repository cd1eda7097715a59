//! Processes whose own parent is gone, and the taking of their status.

use std::sync::{PoisonError, RwLock, RwLockReadGuard};

/// Held while orphans are reaped; shared by those who look at them.
static REAPING: RwLock<()> = RwLock::new(());

/// Lets no orphan vanish as long as the guard lives: one that ends meanwhile is still there to be seen, and tells whose
/// it was.
pub(crate) fn keep_zombies() -> RwLockReadGuard<'static, ()> {
    REAPING.read().unwrap_or_else(PoisonError::into_inner)
}

/// Takes the status of every orphan that has ended. Returns whether there are any, ended or not.
pub(crate) fn reap_orphans() -> bool {
    let _alone = REAPING.write().unwrap_or_else(PoisonError::into_inner);
    let (reaped, others) = reap_children();
    reaped || others
}

/// Takes the status of every child of the calling thread that has ended. Returns whether there were any, and whether
/// there are others.
pub(crate) fn reap_children() -> (bool, bool) {
    // Children that tell nobody of their end, as clone(2) can make them, among them.
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

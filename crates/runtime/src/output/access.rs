//! On whose behalf output is read.

use rustix::{
    fs::{Mode, Stat},
    io::Errno,
};

/// The user that the function ran as, where that is not our own: we may be able to read what it may not, and where the
/// system lets it make a hard link to such a file (`fs.protected_hardlinks`), it must not get at it through us.
#[derive(Debug, Clone, Copy)]
pub struct FileAccess {
    /// The user id.
    pub uid: u32,
}

impl FileAccess {
    /// Refuses a file that neither belongs to the user nor is readable by all.
    pub(super) fn check(reader: Option<Self>, stat: &Stat) -> Result<(), Errno> {
        let Some(Self { uid }) = reader else { return Ok(()) };
        let for_all = Mode::from_raw_mode(stat.st_mode).contains(Mode::ROTH);
        if stat.st_uid == uid || for_all { Ok(()) } else { Err(Errno::ACCESS) }
    }
}

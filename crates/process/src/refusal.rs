//! The name of a system call that is refused. An error number alone, such as that of a container's seccomp filter, does
//! not say what has to be allowed.

use std::io;

/// Names the system call in its error, and says what may refuse it.
pub(crate) fn refused(call: &str, error: &io::Error) -> io::Error {
    let may_be_filtered = matches!(error.raw_os_error(), Some(libc::EPERM | libc::EACCES | libc::ENOSYS));
    let advice = if may_be_filtered { "; allow this system call in the container's seccomp profile" } else { "" };
    io::Error::new(error.kind(), format!("{call}: {error}{advice}"))
}

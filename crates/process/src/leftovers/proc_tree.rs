//! Parents and children of processes, as shown by `/proc`.

use std::{
    fs::{self, File},
    io,
    os::unix::fs::FileExt as _,
    sync::OnceLock,
};

use rustix::{
    process::{Pid, getpid, getppid},
    thread::gettid,
};

/// Returns the children of this process's first thread. No function is started there, so that all of them were adopted:
/// the kernel gives orphans to the first thread of their subreaper.
pub(crate) fn adopted() -> Vec<Pid> {
    /// Kept open, because every invocation reads it: this costs one system call if there are no children.
    static CHILDREN: OnceLock<Option<File>> = OnceLock::new();
    let file = CHILDREN.get_or_init(|| File::open(children_file(getpid(), getpid())).ok());
    match file.as_ref().map(whole) {
        Some(Ok(list)) => pids(&list),
        _ => children_of_thread(getpid(), getpid()),
    }
}

fn children_file(process: Pid, thread: Pid) -> String {
    format!("/proc/{process}/task/{thread}/children")
}

/// Reads the current content of one of the kernel's files.
fn whole(file: &File) -> io::Result<String> {
    let mut bytes = vec![0; 4096];
    let mut length = 0;
    loop {
        match file.read_at(&mut bytes[length..], length as u64) {
            Ok(0) => break,
            Ok(read) => length += read,
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => return Err(error),
        }
        if length == bytes.len() {
            bytes.resize(2 * length, 0);
        }
    }
    bytes.truncate(length);
    Ok(String::from_utf8_lossy(&bytes).into_owned())
}

fn pids(list: &str) -> Vec<Pid> {
    list.split_ascii_whitespace().filter_map(|pid| Pid::from_raw(pid.parse().ok()?)).collect()
}

/// Returns the children of the calling thread.
pub(crate) fn children_of_this_thread() -> Vec<Pid> {
    children_of_thread(getpid(), gettid())
}

/// Returns the children of all threads of `parent`; none if it has ended.
pub(crate) fn children(parent: Pid) -> Vec<Pid> {
    let Ok(threads) = fs::read_dir(format!("/proc/{parent}/task")) else { return Vec::new() };
    threads.filter_map(id).flat_map(|thread| children_of_thread(parent, thread)).collect()
}

fn children_of_thread(process: Pid, thread: Pid) -> Vec<Pid> {
    match fs::read_to_string(children_file(process, thread)) {
        Ok(list) => pids(&list),
        // A kernel without CONFIG_PROC_CHILDREN: look at every process. Without /proc no process can be found.
        Err(error) if error.kind() == io::ErrorKind::NotFound && process == thread => children_by_scan(process),
        Err(_) => Vec::new(),
    }
}

fn children_by_scan(of: Pid) -> Vec<Pid> {
    all_processes().into_iter().filter(|pid| parent(*pid) == Some(of)).collect()
}

/// Returns every visible process.
pub(crate) fn all_processes() -> Vec<Pid> {
    fs::read_dir("/proc").map(|processes| processes.filter_map(id).collect()).unwrap_or_default()
}

/// Returns this process and its ancestors.
pub(crate) fn ancestors() -> Vec<Pid> {
    let mut line = vec![getpid()];
    let mut next = getppid();
    while let Some(pid) = next.filter(|pid| !line.contains(pid)) {
        line.push(pid);
        next = parent(pid);
    }
    line
}

fn id(entry: io::Result<fs::DirEntry>) -> Option<Pid> {
    Pid::from_raw(entry.ok()?.file_name().to_str()?.parse().ok()?)
}

/// The parent is the fourth field of `/proc/PID/stat`. The second field, the name in parentheses, may itself contain
/// blanks and parentheses.
fn parent(pid: Pid) -> Option<Pid> {
    let stat = fs::read_to_string(format!("/proc/{pid}/stat")).ok()?;
    let after_name = stat.rsplit_once(')')?.1;
    Pid::from_raw(after_name.split_ascii_whitespace().nth(1)?.parse().ok()?)
}

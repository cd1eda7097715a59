//! Memory that an idle process returns to the kernel: the free pages of the C library's heap, and the resident pages
//! of its own binary.

use std::{
    ffi::{c_int, c_void},
    slice,
};

#[cfg(target_env = "gnu")]
use crate::room::is_memory_limited;

/// Arenas of the heap for all threads. glibc gives each new thread one of its own, up to eight a processor, and keeps
/// in each of them what was freed there (mallopt(3)): what a rush of requests needed would stay for good. With one,
/// threads wait for each other: a switch more in each request (7 instead of 6, of 8 clients on two processors).
#[cfg(target_env = "gnu")]
const ARENAS_OF_A_PROCESSOR: usize = 2;

/// Has the threads share a few arenas. To be called before there is a second thread.
pub(crate) fn limit_arenas() {
    #[cfg(target_env = "gnu")]
    let arenas = {
        // Each arena reserves 64 MiB.
        let arenas_of_a_processor = if is_memory_limited() { 0 } else { ARENAS_OF_A_PROCESSOR };
        let processors = rustix::thread::sched_getaffinity(None).map_or(1, |set| set.count() as usize);
        c_int::try_from((processors.max(2) * arenas_of_a_processor).max(1)).unwrap_or(c_int::MAX)
    };
    // SAFETY: sets numbers in the C library; no other thread runs yet.
    #[cfg(target_env = "gnu")]
    unsafe {
        libc::mallopt(libc::M_ARENA_MAX, arenas);
        // No chunks that wait to be joined: whenever a large one is freed, glibc would look through all of those.
        libc::mallopt(libc::M_MXFAST, 0)
    };
}

/// Gives back whatever of the heap is free. Takes about a millisecond for each ten megabytes that were in use, and
/// other threads that allocate meanwhile wait, so it is for the time after a rush. Other C libraries than glibc do it as they go.
pub fn give_back_heap() {
    // SAFETY: touches free memory only, under the heap's own lock (malloc_trim(3) is MT-safe).
    #[cfg(target_env = "gnu")]
    unsafe {
        libc::malloc_trim(0)
    };
}

/// Trims the heap, and unmaps the resident pages of the binary: those that the start and the last burst of requests
/// touched, and the fifteen pages that the kernel mapped around each of them. Pages that are needed again come back
/// from the page cache, which costs the next request some 50 minor faults, so this is for a process that has been idle
/// for a while. It lowers the resident memory of this process; the page cache keeps its pages until the kernel needs
/// the memory.
pub fn give_back_all() {
    give_back_heap();
    // SAFETY: the function below reads what it is given and nothing else.
    unsafe { libc::dl_iterate_phdr(Some(let_go), std::ptr::null_mut()) };
}

/// Lets go of the pages of one object, the program itself, which dl_iterate_phdr(3) shows first.
unsafe extern "C" fn let_go(object: *mut libc::dl_phdr_info, _: usize, _: *mut c_void) -> c_int {
    // SAFETY: the C library hands over its own description of a loaded object, which stays.
    let (base, segments) = unsafe {
        let object = &*object;
        (object.dlpi_addr, slice::from_raw_parts(object.dlpi_phdr, object.dlpi_phnum.into()))
    };
    // SAFETY: returns a number.
    let Ok(page @ 1..) = usize::try_from(unsafe { libc::sysconf(libc::_SC_PAGESIZE) }) else { return 1 };
    // Only what was never writable: the rest has been written to, and is not in the file.
    for segment in segments.iter().filter(|one| one.p_type == libc::PT_LOAD && one.p_flags & libc::PF_W == 0) {
        let from = base + segment.p_vaddr;
        let (Ok(from), Ok(to)) = (usize::try_from(from), usize::try_from(from + segment.p_memsz)) else { continue };
        let (from, to) = (from.next_multiple_of(page), to / page * page);
        if from < to {
            // SAFETY: a mapping of a file, private and never written to: a page that is missing is read from the file
            // again (madvise(2)). That it cannot be done is no failure.
            unsafe { libc::madvise(from as *mut c_void, to - from, libc::MADV_DONTNEED) };
        }
    }
    1
}

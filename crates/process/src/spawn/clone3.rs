//! clone3(2), which no C library offers: a clone(2) that can start the process in a cgroup. Moving the process there
//! before exec would take ten times as long (10 µs).
//!
//! A system call that returns twice, the second time on another stack, cannot be wrapped in a function. So this is the
//! only file with assembly, a few lines for each architecture.

use std::{
    ffi::{c_int, c_long, c_void},
    io,
    ops::Range,
    os::fd::{AsRawFd as _, BorrowedFd},
};

/// Start the process in a cgroup (since Linux 5.7).
const CLONE_INTO_CGROUP: u64 = 0x2_0000_0000;

/// `struct clone_args`.
#[repr(C, align(8))]
#[derive(Default)]
struct CloneArgs {
    flags: u64,
    pidfd: u64,
    child_tid: u64,
    parent_tid: u64,
    exit_signal: u64,
    stack: u64,
    stack_size: u64,
    tls: u64,
    set_tid: u64,
    set_tid_size: u64,
    cgroup: u64,
}

/// The function that runs in the child and never returns.
type ChildEntry = extern "C" fn(*mut c_void) -> c_int;

/// Starts `entry(argument)` as a process in `cgroup` and on `stack`, in bandog's memory. Returns its pid once it has
/// called exec or _exit. The kernel stores its pidfd through `pidfd`. `flags` are those of clone(2), without a signal.
///
/// The caller must meet the requirements of vfork(2): see `clone_by`, the only caller.
pub(crate) fn clone3(
    stack: Range<*mut u8>,
    entry: ChildEntry,
    argument: *mut c_void,
    pidfd: *mut c_int,
    cgroup: BorrowedFd<'_>,
    flags: c_int,
) -> io::Result<c_int> {
    #[expect(clippy::cast_sign_loss, reason = "flags, and a descriptor that is open")]
    let arguments = CloneArgs {
        flags: flags as u64 | CLONE_INTO_CGROUP,
        pidfd: pidfd as u64,
        exit_signal: libc::SIGCHLD as u64,
        stack: stack.start as u64,
        stack_size: (stack.end as u64) - (stack.start as u64),
        cgroup: cgroup.as_raw_fd() as u64,
        ..CloneArgs::default()
    };
    // SAFETY: the arguments are what the kernel asks for; the child gets a stack of its own, the caller sees to the
    // rest.
    let result = unsafe { raw_clone3(&arguments, entry, argument) };
    match c_int::try_from(result) {
        Ok(pid @ 1..) => Ok(pid),
        // The kernel returns error numbers as -4095 … -1.
        Ok(errno) => Err(io::Error::from_raw_os_error(-errno)),
        Err(_) => Err(io::Error::other("clone3 returned an invalid process id")),
    }
}

/// In the parent, returns the kernel's result; in the child, calls `entry` on the new stack.
#[cfg(target_arch = "x86_64")]
unsafe fn raw_clone3(arguments: &CloneArgs, entry: ChildEntry, argument: *mut c_void) -> c_long {
    let result: c_long;
    // SAFETY: syscall changes rax, rcx and r11 only. The child has the stack that `arguments` name, 16-byte aligned as
    // a call wants it, and leaves by exec or _exit; it never comes to the label.
    unsafe {
        std::arch::asm!(
            "syscall",
            "test rax, rax",
            "jnz 2f",
            "xor ebp, ebp", // Marks the last frame for stack traces.
            "mov rdi, {argument}",
            "call {entry}",
            "ud2",
            "2:",
            argument = in(reg) argument,
            entry = in(reg) entry,
            inlateout("rax") libc::SYS_clone3 => result,
            in("rdi") std::ptr::from_ref(arguments),
            in("rsi") size_of::<CloneArgs>(),
            out("rcx") _,
            out("r11") _,
        );
    }
    result
}

/// In the parent, returns the kernel's result; in the child, calls `entry` on the new stack.
#[cfg(target_arch = "aarch64")]
unsafe fn raw_clone3(arguments: &CloneArgs, entry: ChildEntry, argument: *mut c_void) -> c_long {
    let result: c_long;
    // SAFETY: svc changes x0 only. The child has the stack that `arguments` name, 16-byte aligned as a call wants it,
    // and leaves by exec or _exit; it never comes to the label.
    unsafe {
        std::arch::asm!(
            "svc #0",
            "cbnz x0, 2f",
            "mov x29, xzr", // Marks the last frame for stack traces.
            "mov x0, {argument}",
            "blr {entry}",
            "brk #1",
            "2:",
            argument = in(reg) argument,
            entry = in(reg) entry,
            inlateout("x0") std::ptr::from_ref(arguments) as c_long => result,
            in("x1") size_of::<CloneArgs>(),
            in("x8") libc::SYS_clone3,
        );
    }
    result
}

/// Other architectures use clone(2).
#[cfg(not(any(target_arch = "x86_64", target_arch = "aarch64")))]
unsafe fn raw_clone3(_: &CloneArgs, _: ChildEntry, _: *mut c_void) -> c_long {
    -c_long::from(libc::ENOSYS)
}

//! seccomp: which system calls are answered.
//!
//! It is a list of what may be done, so that what a newer kernel can do is refused until somebody adds it. No call on it makes
//! a socket, starts a process, touches another process, or maps memory that limits do not count.

use std::collections::BTreeMap;

use libc::c_long;
use seccompiler::{
    BackendError, BpfProgram, SeccompAction, SeccompCmpArgLen, SeccompCmpOp, SeccompCondition, SeccompFilter,
    SeccompRule, TargetArch, apply_filter,
};

use crate::error::SandboxError;

/// Answered whatever their arguments. Which files the ones with paths reach is Landlock's matter.
const FREE: &[c_long] = &[
    // Files.
    libc::SYS_read,
    libc::SYS_readv,
    libc::SYS_pread64,
    libc::SYS_preadv,
    libc::SYS_write,
    libc::SYS_writev,
    libc::SYS_pwrite64,
    libc::SYS_pwritev,
    libc::SYS_openat,
    libc::SYS_openat2,
    libc::SYS_close,
    libc::SYS_close_range,
    libc::SYS_lseek,
    libc::SYS_fstat,
    libc::SYS_newfstatat,
    libc::SYS_statx,
    libc::SYS_statfs,
    libc::SYS_fstatfs,
    libc::SYS_faccessat,
    libc::SYS_faccessat2,
    libc::SYS_readlinkat,
    libc::SYS_getdents64,
    libc::SYS_getcwd,
    libc::SYS_ftruncate,
    libc::SYS_fallocate,
    libc::SYS_fsync,
    libc::SYS_fdatasync,
    libc::SYS_fadvise64,
    libc::SYS_copy_file_range,
    libc::SYS_mkdirat,
    libc::SYS_unlinkat,
    libc::SYS_renameat,
    libc::SYS_renameat2,
    libc::SYS_umask,
    libc::SYS_flock,
    libc::SYS_dup,
    libc::SYS_dup3,
    libc::SYS_pipe2,
    libc::SYS_ppoll,
    // Memory.
    libc::SYS_brk,
    libc::SYS_munmap,
    libc::SYS_mremap,
    libc::SYS_mprotect,
    libc::SYS_madvise,
    libc::SYS_msync,
    libc::SYS_membarrier,
    libc::SYS_get_mempolicy,
    // Threads, and how they wait for each other.
    libc::SYS_futex,
    libc::SYS_set_robust_list,
    libc::SYS_get_robust_list,
    libc::SYS_set_tid_address,
    libc::SYS_rseq,
    libc::SYS_sched_yield,
    libc::SYS_sched_getaffinity,
    libc::SYS_sched_getparam,
    libc::SYS_sched_getscheduler,
    libc::SYS_getcpu,
    libc::SYS_gettid,
    libc::SYS_exit,
    libc::SYS_exit_group,
    libc::SYS_rt_sigaction,
    libc::SYS_rt_sigprocmask,
    libc::SYS_rt_sigreturn,
    libc::SYS_sigaltstack,
    libc::SYS_restart_syscall,
    // What the process is, and when.
    libc::SYS_getpid,
    libc::SYS_getppid,
    libc::SYS_getuid,
    libc::SYS_geteuid,
    libc::SYS_getgid,
    libc::SYS_getegid,
    libc::SYS_getrusage,
    libc::SYS_getrandom,
    libc::SYS_uname,
    libc::SYS_sysinfo,
    libc::SYS_times,
    libc::SYS_gettimeofday,
    libc::SYS_clock_gettime,
    libc::SYS_clock_getres,
    libc::SYS_clock_nanosleep,
    libc::SYS_nanosleep,
    // A second, older number for some of the above.
    #[cfg(target_arch = "x86_64")]
    libc::SYS_open,
    #[cfg(target_arch = "x86_64")]
    libc::SYS_stat,
    #[cfg(target_arch = "x86_64")]
    libc::SYS_lstat,
    #[cfg(target_arch = "x86_64")]
    libc::SYS_access,
    #[cfg(target_arch = "x86_64")]
    libc::SYS_readlink,
    #[cfg(target_arch = "x86_64")]
    libc::SYS_mkdir,
    #[cfg(target_arch = "x86_64")]
    libc::SYS_rmdir,
    #[cfg(target_arch = "x86_64")]
    libc::SYS_unlink,
    #[cfg(target_arch = "x86_64")]
    libc::SYS_rename,
    #[cfg(target_arch = "x86_64")]
    libc::SYS_dup2,
    #[cfg(target_arch = "x86_64")]
    libc::SYS_pipe,
    #[cfg(target_arch = "x86_64")]
    libc::SYS_poll,
    #[cfg(target_arch = "x86_64")]
    libc::SYS_time,
    #[cfg(target_arch = "x86_64")]
    libc::SYS_arch_prctl,
];

/// glibc starts threads with it and hides its arguments in memory, where a filter cannot look. It is answered as an unknown
/// call, on which glibc falls back to `clone`.
const HIDDEN: c_long = libc::SYS_clone3;

/// Restricts this thread, and those that it will start. Returns whether the kernel does so.
pub fn restrict() -> Result<bool, SandboxError> {
    let programs =
        programs().map_err(|error| SandboxError::Kept { what: "system calls", reason: error.to_string() })?;
    // The second is the one that would refuse a third.
    let installed = programs.iter().all(|program| match apply_filter(program) {
        Ok(()) => true,
        Err(error) => {
            tracing::debug!(%error, "no seccomp");
            false
        }
    });
    Ok(installed)
}

fn programs() -> Result<[BpfProgram; 2], BackendError> {
    let target: TargetArch = std::env::consts::ARCH.try_into()?;
    let error = |number: i32| SeccompAction::Errno(number.unsigned_abs());
    let hidden = BTreeMap::from([(HIDDEN, Vec::new())]);
    let hidden = SeccompFilter::new(hidden, SeccompAction::Allow, error(libc::ENOSYS), target)?;

    let mut answered: BTreeMap<c_long, Vec<SeccompRule>> = FREE.iter().map(|&call| (call, Vec::new())).collect();
    answered.insert(HIDDEN, Vec::new());
    answered.extend(conditional()?);
    let answered = SeccompFilter::new(answered, error(libc::EPERM), SeccompAction::Allow, target)?;
    Ok([hidden.try_into()?, answered.try_into()?])
}

/// Answered for some of their arguments.
fn conditional() -> Result<Vec<(c_long, Vec<SeccompRule>)>, BackendError> {
    let is = |argument, value| only(argument, SeccompCmpOp::Eq, value);
    let has = |argument, mask: u64, value| only(argument, SeccompCmpOp::MaskedEq(mask), value);
    let own = u64::from(std::process::id());
    let either = |argument, values: &[u64]| {
        values.iter().map(|&value| SeccompRule::new(vec![is(argument, value)?])).collect::<Result<Vec<_>, _>>()
    };
    Ok(vec![
        // Threads, no processes.
        (libc::SYS_clone, vec![SeccompRule::new(vec![has(0, flag(libc::CLONE_THREAD), flag(libc::CLONE_THREAD))?])?]),
        // Shared memory is not counted as the process's own.
        (libc::SYS_mmap, vec![SeccompRule::new(vec![has(3, MAP_TYPE, flag(libc::MAP_PRIVATE))?])?]),
        // Reading limits, not setting them, and not those of others.
        (libc::SYS_prlimit64, vec![SeccompRule::new(vec![is(0, 0)?, is(2, 0)?])?]),
        #[cfg(target_arch = "x86_64")]
        (libc::SYS_getrlimit, Vec::new()),
        // abort() and raise().
        (libc::SYS_tgkill, vec![SeccompRule::new(vec![is(0, own)?])?]),
        // Names for threads and for memory.
        (libc::SYS_prctl, either(0, &[flag(libc::PR_SET_NAME), flag(libc::PR_GET_NAME), PR_SET_VMA])?),
        // Whether standard output is a terminal, and how wide; what a new descriptor does at an exec.
        (libc::SYS_ioctl, either(1, &[libc::TCGETS, libc::TIOCGWINSZ, libc::FIOCLEX])?),
        // All but who is told of input, which sends signals.
        (
            libc::SYS_fcntl,
            either(
                1,
                &[
                    libc::F_GETFD,
                    libc::F_SETFD,
                    libc::F_GETFL,
                    libc::F_DUPFD,
                    libc::F_DUPFD_CLOEXEC,
                    libc::F_SETLK,
                    libc::F_SETLKW,
                    libc::F_GETLK,
                    libc::F_OFD_SETLK,
                    libc::F_OFD_GETLK,
                ]
                .map(flag),
            )?,
        ),
    ])
}

/// `MAP_TYPE` of the kernel's headers.
const MAP_TYPE: u64 = 0x0f;
/// `PR_SET_VMA` of the kernel's headers.
const PR_SET_VMA: u64 = 0x5356_4d41;

fn flag(value: i32) -> u64 {
    u64::from(value.unsigned_abs())
}

fn only(argument: u8, operation: SeccompCmpOp, value: u64) -> Result<SeccompCondition, BackendError> {
    SeccompCondition::new(argument, SeccompCmpArgLen::Dword, operation, value)
}

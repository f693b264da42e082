//! Takes away everything the process will not need, before it looks at a film.
//!
//! What is left: reading stdin, writing stdout and stderr, memory, threads and clocks. Opening a file answers EACCES,
//! anything that reaches outside (sockets, programs, other processes) ends the process.
#![expect(unsafe_code, reason = "rlimits and prctl are only there as C functions")]

use std::collections::BTreeMap;
use std::io;

use seccompiler::{
    BpfProgram, SeccompAction, SeccompCmpArgLen, SeccompCmpOp, SeccompCondition, SeccompFilter, SeccompRule,
    TargetArch,
};
use spool_media_protocol::Limits;

/// Enters the sandbox for good. An error means that it could not be set up whole, and that no film may be opened.
pub fn enter(limits: &Limits) -> Result<(), String> {
    limit_resources(limits).map_err(|error| format!("setting resource limits: {error}"))?;
    die_with_parent().map_err(|error| format!("tying the process to its parent: {error}"))?;
    // SAFETY: tells the allocator to share two arenas; every further arena would take 64 MiB of address space.
    unsafe { libc::mallopt(libc::M_ARENA_MAX, 2) };
    for filter in [
        refusing_filter(&PATHS, libc::EACCES),
        refusing_filter(&REPLACEABLE, libc::ENOSYS),
        allowing_filter(),
    ] {
        let program: BpfProgram = filter
            .and_then(TryInto::try_into)
            .map_err(|error| format!("compiling the filter: {error}"))?;
        seccompiler::apply_filter_all_threads(&program)
            .map_err(|error| format!("closing the filter: {error}"))?;
    }
    Ok(())
}

fn limit_resources(limits: &Limits) -> io::Result<()> {
    // The kernel warns at the soft limit (SIGXCPU ends the process) and kills at the hard one.
    set_limit(
        libc::RLIMIT_CPU,
        limits.cpu_seconds_max,
        limits.cpu_seconds_max.saturating_add(2),
    )?;
    set_limit(libc::RLIMIT_AS, limits.memory_bytes_max, limits.memory_bytes_max)?;
    set_limit(libc::RLIMIT_CORE, 0, 0)?;
    set_limit(libc::RLIMIT_NOFILE, 16, 16)?;
    if !stdout_is_a_file() {
        set_limit(libc::RLIMIT_FSIZE, 0, 0)?;
    }
    Ok(())
}

fn set_limit(which: libc::__rlimit_resource_t, soft: u64, hard: u64) -> io::Result<()> {
    let mut now = libc::rlimit {
        rlim_cur: 0,
        rlim_max: 0,
    };
    // SAFETY: both calls take a valid structure.
    unsafe {
        if libc::getrlimit(which, &raw mut now) != 0 {
            return Err(io::Error::last_os_error());
        }
        // Whoever started us may have set tighter ones.
        let hard = hard.min(now.rlim_max);
        let wanted = libc::rlimit {
            rlim_cur: soft.min(hard),
            rlim_max: hard,
        };
        if libc::setrlimit(which, &raw const wanted) != 0 {
            return Err(io::Error::last_os_error());
        }
    }
    Ok(())
}

fn stdout_is_a_file() -> bool {
    // SAFETY: fills a structure that is valid as all zeros.
    unsafe {
        let mut status: libc::stat = std::mem::zeroed();
        libc::fstat(1, &raw mut status) == 0 && status.st_mode & libc::S_IFMT == libc::S_IFREG
    }
}

fn die_with_parent() -> io::Result<()> {
    // SAFETY: plain integers.
    let set = unsafe { libc::prctl(libc::PR_SET_PDEATHSIG, libc::SIGKILL as libc::c_ulong, 0, 0, 0) };
    if set == 0 {
        Ok(())
    } else {
        Err(io::Error::last_os_error())
    }
}

/// Answers with an error what a library may try and can do without; lets the other filters decide the rest.
fn refusing_filter(calls: &[i64], error: i32) -> Result<SeccompFilter, seccompiler::BackendError> {
    SeccompFilter::new(
        calls.iter().map(|&call| (call, Vec::new())).collect(),
        SeccompAction::Allow,
        SeccompAction::Errno(error.unsigned_abs()),
        TargetArch::try_from(std::env::consts::ARCH)?,
    )
}

/// Ends the process at any call that is not on the list.
fn allowing_filter() -> Result<SeccompFilter, seccompiler::BackendError> {
    let mut rules: BTreeMap<i64, Vec<SeccompRule>> = PLAIN
        .into_iter()
        .chain(PATHS)
        .chain(REPLACEABLE)
        .map(|call| (call, Vec::new()))
        .collect();
    // A thread of this process, never a process of its own.
    rules.insert(
        libc::SYS_clone,
        vec![rule(
            0,
            SeccompCmpOp::MaskedEq(libc::CLONE_THREAD as u64),
            libc::CLONE_THREAD as u64,
        )?],
    );
    rules.insert(
        libc::SYS_prctl,
        vec![rule(0, SeccompCmpOp::Eq, libc::PR_SET_NAME as u64)?],
    );
    // Reading limits, not setting them.
    rules.insert(libc::SYS_prlimit64, vec![rule(2, SeccompCmpOp::Eq, 0)?]);
    SeccompFilter::new(
        rules,
        SeccompAction::KillProcess,
        SeccompAction::Allow,
        TargetArch::try_from(std::env::consts::ARCH)?,
    )
}

fn rule(argument: u8, operation: SeccompCmpOp, value: u64) -> Result<SeccompRule, seccompiler::BackendError> {
    SeccompRule::new(vec![SeccompCondition::new(
        argument,
        SeccompCmpArgLen::Qword,
        operation,
        value,
    )?])
}

/// Calls that name a file.
#[cfg(target_arch = "x86_64")]
const PATHS: [i64; 8] = [
    libc::SYS_openat,
    libc::SYS_open,
    libc::SYS_access,
    libc::SYS_faccessat,
    libc::SYS_stat,
    libc::SYS_readlink,
    libc::SYS_readlinkat,
    libc::SYS_newfstatat,
];
#[cfg(not(target_arch = "x86_64"))]
const PATHS: [i64; 4] = [
    libc::SYS_openat,
    libc::SYS_faccessat,
    libc::SYS_readlinkat,
    libc::SYS_newfstatat,
];

/// The arguments of clone3 cannot be filtered; told that there is none, glibc takes clone.
const REPLACEABLE: [i64; 1] = [libc::SYS_clone3];

const PLAIN: [i64; 45] = [
    libc::SYS_read,
    libc::SYS_readv,
    libc::SYS_pread64,
    libc::SYS_write,
    libc::SYS_writev,
    libc::SYS_lseek,
    libc::SYS_close,
    libc::SYS_fstat,
    libc::SYS_statx,
    libc::SYS_fcntl,
    libc::SYS_poll,
    libc::SYS_ppoll,
    libc::SYS_mmap,
    libc::SYS_munmap,
    libc::SYS_mremap,
    libc::SYS_mprotect,
    libc::SYS_madvise,
    libc::SYS_brk,
    libc::SYS_futex,
    libc::SYS_set_robust_list,
    libc::SYS_rseq,
    libc::SYS_membarrier,
    libc::SYS_sched_getaffinity,
    libc::SYS_sched_yield,
    libc::SYS_sched_getparam,
    libc::SYS_sched_getscheduler,
    libc::SYS_gettid,
    libc::SYS_getpid,
    libc::SYS_getcpu,
    libc::SYS_tgkill,
    libc::SYS_exit,
    libc::SYS_exit_group,
    libc::SYS_rt_sigaction,
    libc::SYS_rt_sigprocmask,
    libc::SYS_rt_sigreturn,
    libc::SYS_sigaltstack,
    libc::SYS_restart_syscall,
    libc::SYS_clock_gettime,
    libc::SYS_clock_getres,
    libc::SYS_clock_nanosleep,
    libc::SYS_nanosleep,
    libc::SYS_gettimeofday,
    libc::SYS_getrandom,
    libc::SYS_getrusage,
    libc::SYS_sysinfo,
];

/// User and system CPU time of the process so far, all threads, in milliseconds.
pub fn cpu_ms() -> u64 {
    // SAFETY: fills a structure that is valid as all zeros.
    let usage = unsafe {
        let mut usage: libc::rusage = std::mem::zeroed();
        libc::getrusage(libc::RUSAGE_SELF, &raw mut usage);
        usage
    };
    let milliseconds = |time: libc::timeval| time.tv_sec * 1000 + time.tv_usec / 1000;
    u64::try_from(milliseconds(usage.ru_utime) + milliseconds(usage.ru_stime)).unwrap_or(0)
}

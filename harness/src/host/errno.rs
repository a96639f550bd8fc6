//! Error numbers by name.

use std::io;

/// The number's name in include/uapi/asm-generic/errno*.h, or the number itself.
pub(super) fn name(error: &io::Error) -> String {
    let Some(number) = error.raw_os_error() else { return error.to_string() };
    let known = [
        (libc::EPERM, "EPERM"),
        (libc::ENOENT, "ENOENT"),
        (libc::EINTR, "EINTR"),
        (libc::E2BIG, "E2BIG"),
        (libc::EBADF, "EBADF"),
        (libc::EAGAIN, "EAGAIN"),
        (libc::ENOMEM, "ENOMEM"),
        (libc::EACCES, "EACCES"),
        (libc::EFAULT, "EFAULT"),
        (libc::EBUSY, "EBUSY"),
        (libc::EEXIST, "EEXIST"),
        (libc::ENODEV, "ENODEV"),
        (libc::EINVAL, "EINVAL"),
        (libc::EMFILE, "EMFILE"),
        (libc::ENOSPC, "ENOSPC"),
        (libc::ERANGE, "ERANGE"),
        (libc::ENOSYS, "ENOSYS"),
        (libc::ELOOP, "ELOOP"),
        (libc::EOPNOTSUPP, "EOPNOTSUPP"),
        (ENOTSUPP, "ENOTSUPP"),
    ];
    match known.iter().find(|(value, _)| *value == number) {
        Some((_, name)) => (*name).to_string(),
        None => format!("errno {number}"),
    }
}

/// The kernel's own "not supported" (include/linux/errno.h), which bpf(2) lets out.
pub(super) const ENOTSUPP: i32 = 524;

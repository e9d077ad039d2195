// What Glibc's module can't say: inline code, ioctls, and calls behind feature macros.
#pragma once

#include <stdint.h>
#include <sys/types.h>

/// Asks for the cache line at `address`; never faults, whatever the address.
static inline void clinux_prefetch(const void *address)
{
	__builtin_prefetch(address, 0, 3);
}

/// The time stamp counter, ordered as the kernel's rdtsc_ordered(); 0 where there is none.
static inline uint64_t clinux_tsc(void)
{
#if defined(__x86_64__)
	__builtin_ia32_lfence();
	return __builtin_ia32_rdtsc();
#else
	return 0;
#endif
}

/// The kernel's own conversion of the TSC, from the mmap page of a perf event (perf_event_open(2), cap_user_time).
/// Returns 0, or -1 with errno; EOPNOTSUPP when the kernel does not tell.
int clinux_tsc_conversion(uint32_t *multiplier, uint32_t *shift);

/// What PTP_SYS_OFFSET_PRECISE answers, in ns: the device's clock, CLOCK_REALTIME and CLOCK_MONOTONIC_RAW at one instant.
struct clinux_cross_timestamp {
	int64_t device;
	int64_t realtime;
	int64_t monotonic_raw;
};

/// See <linux/ptp_clock.h>. Returns 0, or -1 with errno.
int clinux_ptp_cross_timestamp(int descriptor, struct clinux_cross_timestamp *stamp);

/// splice(2) without offsets; SPLICE_F_MOVE, and SPLICE_F_NONBLOCK where asked for.
ssize_t clinux_splice(int from, int to, size_t count, int nonblocking);

/// memfd_create(2), closed on exec.
int clinux_memory_file(const char *name);

/// fallocate(2) with FALLOC_FL_PUNCH_HOLE: gives a range's blocks back without changing the size.
int clinux_punch_hole(int descriptor, int64_t offset, int64_t count);

/// pipe2(2), both ends closed on exec: ends[0] to read from, ends[1] to write to.
int clinux_pipe(int ends[2]);

/// IOCTL_VM_SOCKETS_GET_LOCAL_CID of <linux/vm_sockets.h> on /dev/vsock. Returns 0, or -1 with errno; *context is 2^32 - 1 where no transport is loaded.
int clinux_vsock_context(uint32_t *context);

/// KiB that a program without privileges can still write in a folder, see statvfs(3); -1 with errno.
int64_t clinux_free_space(const char *folder);

/// sched_setaffinity(2) with a mask of any size, the lowest CPU in the lowest bit of the first word. Returns 0, or -1 with errno.
int clinux_set_affinity(pid_t thread, const uint64_t *words, size_t bytes);

/// Whether there are descriptors to wait with: makes an epoll instance, an eventfd and a timerfd, and gives them back. Returns 0, or -1 with errno.
int clinux_can_wait(void);

/// PR_SET_NO_NEW_PRIVS of prctl(2): whatever this thread starts gets no rights that the thread has not. Returns 0, or -1 with errno.
int clinux_forbid_new_privileges(void);

/// PR_CAPBSET_DROP of prctl(2) for all capabilities but those whose bits are set in `keep`: this thread's bounding set. Returns 0, or -1 with errno.
int clinux_bound_capabilities(uint64_t keep);

/// capset(2): this thread keeps those of its capabilities whose bits are set in `keep`, none of them inheritable. Returns 0, or -1 with errno.
int clinux_keep_capabilities(uint64_t keep);

/// Denies this thread, and those that it starts, system calls that no recording needs (EPERM), see seccomp(2) and Rights.c; needs no_new_privs.
/// Returns 0, or -1 with errno; EOPNOTSUPP where the filter does not know the architecture.
int clinux_deny_system_calls(void);

/// socketpair(2) of a stream between two processes, both ends closed on exec. Returns 0, or -1 with errno.
int clinux_socket_pair(int ends[2]);

/// Sends a byte, and a copy of a descriptor with it unless that is -1 (SCM_RIGHTS, unix(7)). Returns 1, or -1 with errno.
ssize_t clinux_send_byte(int socket, uint8_t byte, int descriptor);

/// Receives a byte and the descriptor that came with it, -1 for none. Returns 1, 0 where the other end is closed, or -1 with errno.
ssize_t clinux_receive_byte(int socket, uint8_t *byte, int *descriptor);

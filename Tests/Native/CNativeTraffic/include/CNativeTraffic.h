// What native-traffic can't say in Swift: io_uring without a library, calls behind feature macros, namespaces.
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

// Like system calls, these return -1 (or NULL) and set errno when they fail.

/// setns(2): the calling thread enters the network namespace of this file. Sockets keep the namespace that they were
/// made in.
int nt_enter_namespace(const char *path);

/// sched_setaffinity(2) of the calling thread; -1 for all CPUs.
int nt_run_on(int cpu);

/// ETHTOOL_SGRO: whether a device of this namespace merges what it receives. A veth device has NAPI then, and none
/// otherwise.
int nt_set_merging(const char *device, bool merging);

/// sched_setscheduler(2) of the calling thread: SCHED_FIFO, or what all others have. Who spins must not wait for
/// them.
int nt_run_first(bool first);

/// sendmmsg(2) on a connected socket: `count` datagrams of `each` bytes that lie one behind the other.
int nt_sendmmsg(int socket, const void *bytes, size_t each, unsigned count);

/// recvmmsg(2) with MSG_WAITFORONE: up to `count` datagrams (16 at the most), each in a slot of `each` bytes.
int nt_recvmmsg(int socket, void *bytes, size_t each, unsigned count, uint32_t *lengths);

/// sendmsg(2) or recvmsg(2) of one buffer.
ssize_t nt_sendmsg(int socket, const void *bytes, size_t count, int flags);
ssize_t nt_recvmsg(int socket, void *bytes, size_t count, int flags);

/// recv(2) with MSG_DONTWAIT, as fast as it goes, until something is there or it has found nothing 1000 times.
/// `begin` and `end` are CLOCK_MONOTONIC, in ns, around the last call.
ssize_t nt_spin(int socket, void *bytes, size_t count, int64_t *begin, int64_t *end);

/// pwritev2(2) with the offset -1, which a socket takes too: the current position.
ssize_t nt_pwritev2(int descriptor, const void *bytes, size_t count);

/// splice(2) without offsets.
ssize_t nt_splice(int from, int to, size_t count, unsigned flags);

/// memfd_create(2).
int nt_memory_file(const char *name);

/// packet(7): a raw packet socket that takes `protocol` (host byte order) on the device with index `device`.
int nt_packet_socket(int device, uint16_t protocol);

/// An epoll(7) over these sockets, level- or edge-triggered; waits for up to 16 of them, and for 200 ms at the most.
int nt_epoll(const int *sockets, unsigned count, bool edge);
int nt_epoll_wait(int poll, int *sockets);

/// Frees what MSG_ZEROCOPY reports on the socket's error queue; returns the number of reports.
int nt_drain_errors(int socket);

/// An io_uring of 64 entries; `polled` has a thread of the kernel take what is submitted (IORING_SETUP_SQPOLL).
struct nt_ring;
struct nt_ring *nt_ring_open(bool polled);
void nt_ring_close(struct nt_ring *ring);

enum nt_operation { NT_SEND, NT_SEND_ZEROCOPY, NT_RECEIVE };

/// Submits one operation. Of a polled ring that is no system call, unless the kernel's thread has gone to sleep.
int nt_ring_submit(struct nt_ring *ring, enum nt_operation operation, int socket, void *bytes, size_t count,
		   uint64_t tag);

/// Waits for the next completion, for 200 ms at the most (ETIME then). `result` is what the call would have returned,
/// or -errno. Notifications of zero-copy are skipped.
int nt_ring_wait(struct nt_ring *ring, int *result, uint64_t *tag);

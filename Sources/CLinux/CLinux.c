#define _GNU_SOURCE
#include "CLinux.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/perf_event.h>
#include <linux/ptp_clock.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/statvfs.h>
#include <sys/syscall.h>
#include <sys/timerfd.h>
#include <unistd.h>

#include <linux/vm_sockets.h>

int clinux_tsc_conversion(uint32_t *multiplier, uint32_t *shift)
{
	struct perf_event_attr attributes;
	struct perf_event_mmap_page *page;
	long size = sysconf(_SC_PAGESIZE);
	int descriptor, known;

	/* Any event has the page; one of software that never counts needs no PMU. */
	memset(&attributes, 0, sizeof(attributes));
	attributes.size = sizeof(attributes);
	attributes.type = PERF_TYPE_SOFTWARE;
	attributes.config = PERF_COUNT_SW_DUMMY;
	attributes.exclude_kernel = 1;
	descriptor = syscall(SYS_perf_event_open, &attributes, 0, -1, -1, PERF_FLAG_FD_CLOEXEC);
	if (descriptor < 0)
		return -1;
	page = mmap(NULL, size, PROT_READ, MAP_SHARED, descriptor, 0);
	if (page == MAP_FAILED) {
		int error = errno;
		close(descriptor);
		errno = error;
		return -1;
	}
	known = page->cap_user_time;
	*multiplier = page->time_mult;
	*shift = page->time_shift;
	munmap(page, size);
	close(descriptor);
	if (known && *multiplier)
		return 0;
	errno = EOPNOTSUPP;
	return -1;
}

static int64_t nanoseconds(struct ptp_clock_time time)
{
	return time.sec * 1000000000LL + time.nsec;
}

int clinux_ptp_cross_timestamp(int descriptor, struct clinux_cross_timestamp *stamp)
{
	struct ptp_sys_offset_precise precise;

	memset(&precise, 0, sizeof(precise));
	if (ioctl(descriptor, PTP_SYS_OFFSET_PRECISE, &precise) < 0)
		return -1;
	stamp->device = nanoseconds(precise.device);
	stamp->realtime = nanoseconds(precise.sys_realtime);
	stamp->monotonic_raw = nanoseconds(precise.sys_monoraw);
	return 0;
}

ssize_t clinux_splice(int from, int to, size_t count, int nonblocking)
{
	return splice(from, NULL, to, NULL, count, SPLICE_F_MOVE | (nonblocking ? SPLICE_F_NONBLOCK : 0));
}

int clinux_memory_file(const char *name)
{
	return memfd_create(name, MFD_CLOEXEC);
}

int clinux_punch_hole(int descriptor, int64_t offset, int64_t count)
{
	return fallocate(descriptor, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE, offset, count);
}

int clinux_pipe(int ends[2])
{
	return pipe2(ends, O_CLOEXEC);
}

int clinux_vsock_context(uint32_t *context)
{
	int descriptor = open("/dev/vsock", O_RDONLY | O_CLOEXEC);
	int result, error;

	if (descriptor < 0)
		return -1;
	result = ioctl(descriptor, IOCTL_VM_SOCKETS_GET_LOCAL_CID, context);
	error = errno;
	close(descriptor);
	errno = error;
	return result < 0 ? -1 : 0;
}

int64_t clinux_free_space(const char *folder)
{
	struct statvfs status;

	if (statvfs(folder, &status) < 0)
		return -1;
	return (int64_t)(status.f_bavail / 1024.0 * status.f_frsize);
}

int clinux_set_affinity(pid_t thread, const uint64_t *words, size_t bytes)
{
	/* glibc's own refuses nothing, but cpu_set_t would end at 1024 CPUs. */
	return syscall(SYS_sched_setaffinity, thread, bytes, words);
}

int clinux_can_wait(void)
{
	int descriptors[3] = { -1, -1, -1 };
	int error = 0, i;

	descriptors[0] = epoll_create1(EPOLL_CLOEXEC);
	if (descriptors[0] >= 0)
		descriptors[1] = eventfd(0, EFD_CLOEXEC);
	if (descriptors[1] >= 0)
		descriptors[2] = timerfd_create(CLOCK_MONOTONIC, TFD_CLOEXEC);
	if (descriptors[2] < 0)
		error = errno;
	for (i = 0; i < 3; i++)
		if (descriptors[i] >= 0)
			close(descriptors[i]);
	errno = error;
	return error ? -1 : 0;
}

int clinux_socket_pair(int ends[2])
{
	return socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends);
}

/* Room for one descriptor, aligned as a control message has to be. */
union descriptor_message {
	char bytes[CMSG_SPACE(sizeof(int))];
	struct cmsghdr header;
};

ssize_t clinux_send_byte(int socket, uint8_t byte, int descriptor)
{
	struct iovec data = { .iov_base = &byte, .iov_len = 1 };
	union descriptor_message control;
	struct msghdr message = { .msg_iov = &data, .msg_iovlen = 1 };

	if (descriptor >= 0) {
		memset(&control, 0, sizeof(control));
		control.header.cmsg_level = SOL_SOCKET;
		control.header.cmsg_type = SCM_RIGHTS;
		control.header.cmsg_len = CMSG_LEN(sizeof(int));
		memcpy(CMSG_DATA(&control.header), &descriptor, sizeof(int));
		message.msg_control = control.bytes;
		message.msg_controllen = sizeof(control.bytes);
	}
	return sendmsg(socket, &message, MSG_NOSIGNAL);
}

ssize_t clinux_receive_byte(int socket, uint8_t *byte, int *descriptor)
{
	struct iovec data = { .iov_base = byte, .iov_len = 1 };
	union descriptor_message control;
	struct msghdr message = { .msg_iov = &data, .msg_iovlen = 1, .msg_control = control.bytes, .msg_controllen = sizeof(control.bytes) };
	struct cmsghdr *header;
	ssize_t count;

	*descriptor = -1;
	count = recvmsg(socket, &message, MSG_CMSG_CLOEXEC);
	if (count <= 0)
		return count;
	for (header = CMSG_FIRSTHDR(&message); header; header = CMSG_NXTHDR(&message, header))
		if (header->cmsg_level == SOL_SOCKET && header->cmsg_type == SCM_RIGHTS)
			memcpy(descriptor, CMSG_DATA(header), sizeof(int));
	return count;
}

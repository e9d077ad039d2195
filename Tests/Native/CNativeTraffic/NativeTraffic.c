// Calls behind feature macros, for native-traffic.
#define _GNU_SOURCE
#include "CNativeTraffic.h"

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/ethtool.h>
#include <linux/if_packet.h>
#include <linux/sockios.h>
#include <net/if.h>
#include <sched.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/uio.h>
#include <time.h>
#include <unistd.h>

#define MOST_MESSAGES 16

int nt_enter_namespace(const char *path)
{
	int descriptor = open(path, O_RDONLY | O_CLOEXEC);
	int result;

	if (descriptor < 0)
		return -1;
	result = setns(descriptor, CLONE_NEWNET);
	close(descriptor);
	return result;
}

int nt_run_on(int cpu)
{
	cpu_set_t cpus;

	CPU_ZERO(&cpus);
	for (int each = 0; each < CPU_SETSIZE; each++)
		if (cpu < 0 || each == cpu)
			CPU_SET(each, &cpus);
	return sched_setaffinity(0, sizeof(cpus), &cpus);
}

int nt_set_merging(const char *device, bool merging)
{
	struct ethtool_value value = { .cmd = ETHTOOL_SGRO, .data = merging };
	struct ifreq request = { .ifr_data = (char *)&value };
	int descriptor = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	int result;

	if (descriptor < 0)
		return -1;
	strncpy(request.ifr_name, device, sizeof(request.ifr_name) - 1);
	result = ioctl(descriptor, SIOCETHTOOL, &request);
	close(descriptor);
	return result;
}

int nt_run_first(bool first)
{
	struct sched_param parameters = { .sched_priority = first ? 1 : 0 };

	return sched_setscheduler(0, first ? SCHED_FIFO : SCHED_OTHER, &parameters);
}

int nt_sendmmsg(int socket, const void *bytes, size_t each, unsigned count)
{
	struct mmsghdr messages[MOST_MESSAGES] = { 0 };
	struct iovec parts[MOST_MESSAGES];

	if (count > MOST_MESSAGES) {
		errno = EINVAL;
		return -1;
	}
	for (unsigned index = 0; index < count; index++) {
		parts[index] = (struct iovec){ (char *)bytes + index * each, each };
		messages[index].msg_hdr = (struct msghdr){ .msg_iov = &parts[index], .msg_iovlen = 1 };
	}
	return sendmmsg(socket, messages, count, 0);
}

int nt_recvmmsg(int socket, void *bytes, size_t each, unsigned count, uint32_t *lengths)
{
	struct mmsghdr messages[MOST_MESSAGES] = { 0 };
	struct iovec parts[MOST_MESSAGES];
	int result;

	if (count > MOST_MESSAGES) {
		errno = EINVAL;
		return -1;
	}
	for (unsigned index = 0; index < count; index++) {
		parts[index] = (struct iovec){ (char *)bytes + index * each, each };
		messages[index].msg_hdr = (struct msghdr){ .msg_iov = &parts[index], .msg_iovlen = 1 };
	}
	result = recvmmsg(socket, messages, count, MSG_WAITFORONE, NULL);
	for (int index = 0; index < result; index++)
		lengths[index] = messages[index].msg_len;
	return result;
}

ssize_t nt_sendmsg(int socket, const void *bytes, size_t count, int flags)
{
	struct iovec part = { (void *)bytes, count };
	struct msghdr message = { .msg_iov = &part, .msg_iovlen = 1 };

	return sendmsg(socket, &message, flags);
}

ssize_t nt_recvmsg(int socket, void *bytes, size_t count, int flags)
{
	struct iovec part = { bytes, count };
	// UDP_GRO answers with a control message.
	char control[256];
	struct msghdr message = {
		.msg_iov = &part,
		.msg_iovlen = 1,
		.msg_control = control,
		.msg_controllen = sizeof(control),
	};

	return recvmsg(socket, &message, flags);
}

static int64_t now(void)
{
	struct timespec time;

	clock_gettime(CLOCK_MONOTONIC, &time);
	return time.tv_sec * 1000000000ll + time.tv_nsec;
}

ssize_t nt_spin(int socket, void *bytes, size_t count, int64_t *begin, int64_t *end)
{
	ssize_t result = -1;

	for (int rounds = 0; rounds < 1000 && result < 0; rounds++) {
		*begin = now();
		result = recv(socket, bytes, count, MSG_DONTWAIT);
	}
	*end = now();
	return result;
}

ssize_t nt_pwritev2(int descriptor, const void *bytes, size_t count)
{
	struct iovec part = { (void *)bytes, count };

	return pwritev2(descriptor, &part, 1, -1, 0);
}

ssize_t nt_splice(int from, int to, size_t count, unsigned flags)
{
	return splice(from, NULL, to, NULL, count, flags);
}

int nt_memory_file(const char *name)
{
	return memfd_create(name, MFD_CLOEXEC);
}

int nt_packet_socket(int device, uint16_t protocol)
{
	struct sockaddr_ll address = { .sll_family = AF_PACKET, .sll_protocol = htons(protocol), .sll_ifindex = device };
	int descriptor = socket(AF_PACKET, SOCK_RAW | SOCK_CLOEXEC, 0);

	if (descriptor >= 0 && bind(descriptor, (struct sockaddr *)&address, sizeof(address)) < 0) {
		close(descriptor);
		return -1;
	}
	return descriptor;
}

int nt_epoll(const int *sockets, unsigned count, bool edge)
{
	int poll = epoll_create1(EPOLL_CLOEXEC);

	for (unsigned index = 0; poll >= 0 && index < count; index++) {
		struct epoll_event event = { .events = EPOLLIN | (edge ? EPOLLET : 0), .data.fd = sockets[index] };

		if (epoll_ctl(poll, EPOLL_CTL_ADD, sockets[index], &event) < 0) {
			close(poll);
			return -1;
		}
	}
	return poll;
}

int nt_epoll_wait(int poll, int *sockets)
{
	struct epoll_event events[MOST_MESSAGES];
	int count = epoll_wait(poll, events, MOST_MESSAGES, 200);

	for (int index = 0; index < count; index++)
		sockets[index] = events[index].data.fd;
	return count;
}

int nt_drain_errors(int socket)
{
	char control[256];
	int reports = 0;

	for (;;) {
		struct msghdr message = { .msg_control = control, .msg_controllen = sizeof(control) };

		if (recvmsg(socket, &message, MSG_ERRQUEUE | MSG_DONTWAIT) < 0)
			return reports;
		reports++;
	}
}

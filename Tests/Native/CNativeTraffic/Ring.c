// io_uring by its system calls, see io_uring(7): one operation is submitted at a time.
#define _GNU_SOURCE
#include "CNativeTraffic.h"

#include <errno.h>
#include <linux/io_uring.h>
#include <linux/time_types.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#define ENTRIES 64
#define PATIENCE_NS 200000000

struct nt_ring {
	int descriptor;
	bool polled;
	void *rings;
	size_t rings_bytes;
	struct io_uring_sqe *entries;
	uint32_t *sq_head, *sq_tail, *sq_flags, *sq_array;
	uint32_t *cq_head, *cq_tail;
	struct io_uring_cqe *completions;
	uint32_t sq_mask, cq_mask;
};

static int enter(struct nt_ring *ring, unsigned submit, unsigned complete, unsigned flags)
{
	struct __kernel_timespec patience = { .tv_nsec = PATIENCE_NS };
	struct io_uring_getevents_arg argument = { .ts = (uintptr_t)&patience };

	return syscall(SYS_io_uring_enter, ring->descriptor, submit, complete, flags | IORING_ENTER_EXT_ARG, &argument,
		       sizeof(argument));
}

static void *map(struct nt_ring *ring, size_t bytes, off_t what)
{
	return mmap(NULL, bytes, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_POPULATE, ring->descriptor, what);
}

struct nt_ring *nt_ring_open(bool polled)
{
	struct io_uring_params setup = { .flags = polled ? IORING_SETUP_SQPOLL : 0, .sq_thread_idle = 100 };
	struct nt_ring *ring = calloc(1, sizeof(*ring));
	size_t sq_bytes, cq_bytes;
	char *base;

	if (!ring)
		return NULL;
	ring->polled = polled;
	ring->descriptor = syscall(SYS_io_uring_setup, ENTRIES, &setup);
	if (ring->descriptor < 0) {
		free(ring);
		return NULL;
	}
	sq_bytes = setup.sq_off.array + setup.sq_entries * sizeof(uint32_t);
	cq_bytes = setup.cq_off.cqes + setup.cq_entries * sizeof(struct io_uring_cqe);
	ring->rings_bytes = sq_bytes > cq_bytes ? sq_bytes : cq_bytes;
	// IORING_FEAT_SINGLE_MMAP: both rings are one mapping since Linux 5.4.
	ring->rings = map(ring, ring->rings_bytes, IORING_OFF_SQ_RING);
	ring->entries = map(ring, setup.sq_entries * sizeof(struct io_uring_sqe), IORING_OFF_SQES);
	if (ring->rings == MAP_FAILED || ring->entries == MAP_FAILED) {
		close(ring->descriptor);
		free(ring);
		return NULL;
	}
	base = ring->rings;
	ring->sq_head = (uint32_t *)(base + setup.sq_off.head);
	ring->sq_tail = (uint32_t *)(base + setup.sq_off.tail);
	ring->sq_flags = (uint32_t *)(base + setup.sq_off.flags);
	ring->sq_array = (uint32_t *)(base + setup.sq_off.array);
	ring->sq_mask = *(uint32_t *)(base + setup.sq_off.ring_mask);
	ring->cq_head = (uint32_t *)(base + setup.cq_off.head);
	ring->cq_tail = (uint32_t *)(base + setup.cq_off.tail);
	ring->cq_mask = *(uint32_t *)(base + setup.cq_off.ring_mask);
	ring->completions = (struct io_uring_cqe *)(base + setup.cq_off.cqes);
	return ring;
}

void nt_ring_close(struct nt_ring *ring)
{
	close(ring->descriptor);
	munmap(ring->rings, ring->rings_bytes);
	free(ring);
}

static const uint8_t opcodes[] = {
	[NT_SEND] = IORING_OP_SEND,
	[NT_SEND_ZEROCOPY] = IORING_OP_SEND_ZC,
	[NT_RECEIVE] = IORING_OP_RECV,
};

int nt_ring_submit(struct nt_ring *ring, enum nt_operation operation, int socket, void *bytes, size_t count,
		   uint64_t tag)
{
	uint32_t tail = *ring->sq_tail;
	struct io_uring_sqe *entry = &ring->entries[tail & ring->sq_mask];

	if (tail - __atomic_load_n(ring->sq_head, __ATOMIC_ACQUIRE) > ring->sq_mask) {
		errno = EBUSY;
		return -1;
	}
	memset(entry, 0, sizeof(*entry));
	entry->opcode = opcodes[operation];
	entry->fd = socket;
	entry->addr = (uintptr_t)bytes;
	entry->len = count;
	entry->user_data = tag;
	ring->sq_array[tail & ring->sq_mask] = tail & ring->sq_mask;
	__atomic_store_n(ring->sq_tail, tail + 1, __ATOMIC_RELEASE);
	if (!ring->polled)
		return enter(ring, 1, 0, 0) == 1 ? 0 : -1;
	__atomic_thread_fence(__ATOMIC_SEQ_CST);
	if (__atomic_load_n(ring->sq_flags, __ATOMIC_ACQUIRE) & IORING_SQ_NEED_WAKEUP)
		return enter(ring, 1, 0, IORING_ENTER_SQ_WAKEUP) < 0 ? -1 : 0;
	return 0;
}

int nt_ring_wait(struct nt_ring *ring, int *result, uint64_t *tag)
{
	for (;;) {
		uint32_t head = *ring->cq_head;

		if (head == __atomic_load_n(ring->cq_tail, __ATOMIC_ACQUIRE)) {
			if (enter(ring, 0, 1, IORING_ENTER_GETEVENTS) < 0 && errno != EINTR)
				return -1;
			continue;
		}
		struct io_uring_cqe completion = ring->completions[head & ring->cq_mask];

		__atomic_store_n(ring->cq_head, head + 1, __ATOMIC_RELEASE);
		if (completion.flags & IORING_CQE_F_NOTIF)
			continue;
		*result = completion.res;
		*tag = completion.user_data;
		return 0;
	}
}

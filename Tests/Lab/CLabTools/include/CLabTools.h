// What lab-tools can't say in Swift: the processor's own clock and bpf(2) with its union of unnamed structs.
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/// The counter that the kernel's clocks are made of: TSC on x86-64, CNTVCT_EL0 on arm64; in its own ticks.
static inline uint64_t lab_ticks(void)
{
#if defined(__x86_64__)
	uint32_t low, high;
	// Without the fence the counter may be read before what stands in front of it is done.
	__asm__ volatile("lfence\n\trdtsc" : "=a"(low), "=d"(high) : : "memory");
	return (uint64_t)high << 32 | low;
#elif defined(__aarch64__)
	uint64_t ticks;
	__asm__ volatile("isb\n\tmrs %0, cntvct_el0" : "=r"(ticks) : : "memory");
	return ticks;
#else
#error "no counter is known on this architecture"
#endif
}

/// Whether a bpf file system is mounted at `path`, statfs(2).
bool lab_is_bpffs(const char *path);

// Like system calls, these return -1 and set errno when they fail.

/// BPF_PROG_LOAD of a program that sends every frame out of the device with index `to`; returns its descriptor.
/// When the kernel refuses it, `log` has what the verifier said, as a string.
int lab_load_redirect(uint32_t to, char *log, size_t log_bytes);

/// BPF_LINK_CREATE: runs the program on each frame that the device with index `from` receives; returns the link's descriptor.
/// `native` asks for the driver's own hook, otherwise it is the generic one, behind the skb's allocation.
int lab_attach_xdp(int program, uint32_t from, bool native);

/// BPF_OBJ_PIN: keeps the link under `path` when its last descriptor is closed.
int lab_pin(int link, const char *path);

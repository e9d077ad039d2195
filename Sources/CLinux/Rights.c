/* What a process gives up for good: capabilities, and system calls by a seccomp filter. */
#define _GNU_SOURCE
#include "CLinux.h"

#include <errno.h>
#include <linux/audit.h>
#include <linux/capability.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <sched.h>
#include <stddef.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <unistd.h>

int clinux_forbid_new_privileges(void)
{
	return prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0);
}

int clinux_bound_capabilities(uint64_t keep)
{
	int number;

	for (number = 0; number < 64; number++) {
		/* Fails behind the kernel's last one. */
		int bound = prctl(PR_CAPBSET_READ, number, 0, 0, 0);

		if (bound < 0)
			return 0;
		if (bound && !(keep >> number & 1) && prctl(PR_CAPBSET_DROP, number, 0, 0, 0) < 0)
			return -1;
	}
	return 0;
}

int clinux_keep_capabilities(uint64_t keep)
{
	struct __user_cap_header_struct header = { .version = _LINUX_CAPABILITY_VERSION_3 };
	struct __user_cap_data_struct sets[2];
	int changes = 0, i;

	if (syscall(SYS_capget, &header, sets) < 0)
		return -1;
	for (i = 0; i < 2; i++) {
		uint32_t kept = sets[i].permitted & (uint32_t)(keep >> 32 * i);

		changes |= kept != sets[i].permitted || kept != sets[i].effective || sets[i].inheritable;
		sets[i].permitted = sets[i].effective = kept;
		/* Ambient ones go with them. */
		sets[i].inheritable = 0;
	}
	/* A service's filter may have taken the call away together with the capabilities. */
	return changes ? syscall(SYS_capset, &header, sets) : 0;
}

#if defined(__x86_64__)
#define ARCHITECTURE AUDIT_ARCH_X86_64
#elif defined(__aarch64__)
#define ARCHITECTURE AUDIT_ARCH_AARCH64
#endif

#ifdef ARCHITECTURE
/* By name, where this architecture's headers have it. */
static const uint32_t denied[] = {
	/* Other programs, and a look into running ones. */
	SYS_execve, SYS_execveat, SYS_ptrace, SYS_process_vm_readv, SYS_process_vm_writev, SYS_kcmp,
	/* Another view of files, and namespaces. */
	SYS_mount, SYS_umount2, SYS_pivot_root, SYS_chroot, SYS_unshare, SYS_setns,
	SYS_name_to_handle_at, SYS_open_by_handle_at, SYS_mknodat,
#ifdef SYS_mknod
	SYS_mknod,
#endif
#ifdef SYS_open_tree
	SYS_open_tree, SYS_move_mount, SYS_fsopen, SYS_fsconfig, SYS_fsmount, SYS_fspick,
#endif
#ifdef SYS_mount_setattr
	SYS_mount_setattr,
#endif
#ifdef SYS_pidfd_getfd
	SYS_pidfd_getfd,
#endif
	/* Code in the kernel, or another kernel. */
	SYS_init_module, SYS_finit_module, SYS_delete_module, SYS_kexec_load, SYS_bpf,
#ifdef SYS_kexec_file_load
	SYS_kexec_file_load,
#endif
	/* What the whole machine has once. */
	SYS_reboot, SYS_swapon, SYS_swapoff, SYS_acct, SYS_quotactl, SYS_sethostname, SYS_setdomainname, SYS_vhangup, SYS_syslog,
	SYS_settimeofday, SYS_adjtimex, SYS_clock_settime, SYS_clock_adjtime,
#ifdef SYS_iopl
	SYS_iopl, SYS_ioperm, SYS_modify_ldt,
#endif
	/* Much of the kernel that is not needed. */
	SYS_add_key, SYS_request_key, SYS_keyctl, SYS_personality, SYS_userfaultfd, SYS_fanotify_init,
#ifdef SYS_io_uring_setup
	SYS_io_uring_setup, SYS_io_uring_enter, SYS_io_uring_register,
#endif
};

#define NEW_NAMESPACE (CLONE_NEWNS | CLONE_NEWCGROUP | CLONE_NEWUTS | CLONE_NEWIPC | CLONE_NEWUSER | CLONE_NEWPID | CLONE_NEWNET)
#define LOAD(field) BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, field))
#define ANSWER(error) BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ERRNO | (error))
/* Goes on behind the next statement unless `operation` holds. */
#define UNLESS(operation, value) BPF_JUMP(BPF_JMP | (operation) | BPF_K, (value), 0, 1)

int clinux_deny_system_calls(void)
{
	enum { COUNT = sizeof(denied) / sizeof(*denied) };
	struct sock_filter program[2 * COUNT + 16];
	struct sock_fprog filter = { .filter = program };
	unsigned short length = 0;
	unsigned i;

#define ADD(...) program[length++] = (struct sock_filter)__VA_ARGS__
	/* Numbers mean other calls to 32-bit code, and with bit 30 on x86-64 (x32). */
	ADD(LOAD(arch));
	ADD(BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, ARCHITECTURE, 1, 0));
	ADD(ANSWER(EPERM));
	ADD(LOAD(nr));
	ADD(UNLESS(BPF_JGE, 0x40000000));
	ADD(ANSWER(EPERM));
	for (i = 0; i < COUNT; i++) {
		ADD(UNLESS(BPF_JEQ, denied[i]));
		ADD(ANSWER(EPERM));
	}
	/* A filter can't see the flags of clone3(2); C libraries take clone(2) where there is none. */
#ifdef SYS_clone3
	ADD(UNLESS(BPF_JEQ, SYS_clone3));
	ADD(ANSWER(ENOSYS));
#endif
	ADD(BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, SYS_clone, 0, 3));
	/* The lower half: both architectures are little-endian, and all flags are there. */
	ADD(LOAD(args[0]));
	ADD(UNLESS(BPF_JSET, NEW_NAMESPACE));
	ADD(ANSWER(EPERM));
	ADD(BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW));
	filter.len = length;
	return prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &filter, 0, 0);
}
#else
int clinux_deny_system_calls(void)
{
	errno = EOPNOTSUPP;
	return -1;
}
#endif

// bpf(2) for lab-tools redirect: load, attach, pin.
#include "CLabTools.h"

#include <linux/bpf.h>
#include <linux/if_link.h>
#include <linux/magic.h>
#include <sys/syscall.h>
#include <sys/vfs.h>
#include <unistd.h>

static int bpf(enum bpf_cmd command, union bpf_attr *attributes)
{
	return syscall(SYS_bpf, command, attributes, sizeof(*attributes));
}

bool lab_is_bpffs(const char *path)
{
	struct statfs system;

	return statfs(path, &system) == 0 && (uint32_t)system.f_type == BPF_FS_MAGIC;
}

int lab_load_redirect(uint32_t to, char *log, size_t log_bytes)
{
	const struct bpf_insn program[] = {
		{ .code = BPF_ALU64 | BPF_MOV | BPF_K, .dst_reg = BPF_REG_1, .imm = (int32_t)to },
		{ .code = BPF_ALU64 | BPF_MOV | BPF_K, .dst_reg = BPF_REG_2, .imm = 0 },
		{ .code = BPF_JMP | BPF_CALL, .imm = BPF_FUNC_redirect },
		{ .code = BPF_JMP | BPF_EXIT },
	};
	union bpf_attr attributes = {
		.prog_type = BPF_PROG_TYPE_XDP,
		.expected_attach_type = BPF_XDP,
		.insns = (uintptr_t)program,
		.insn_cnt = sizeof(program) / sizeof(program[0]),
		// bpf_redirect asks for no GPL-compatible licence.
		.license = (uintptr_t)"Apache-2.0",
		.prog_name = "lab_redirect",
	};
	int descriptor = bpf(BPF_PROG_LOAD, &attributes);

	log[0] = '\0';
	if (descriptor >= 0)
		return descriptor;
	// Only a refusal is worth a log; the second attempt says the same with more words.
	attributes.log_buf = (uintptr_t)log;
	attributes.log_size = log_bytes;
	attributes.log_level = 1;
	return bpf(BPF_PROG_LOAD, &attributes);
}

int lab_attach_xdp(int program, uint32_t from, bool native)
{
	union bpf_attr attributes = {
		.link_create = {
			.prog_fd = program,
			.target_ifindex = from,
			.attach_type = BPF_XDP,
			.flags = native ? XDP_FLAGS_DRV_MODE : XDP_FLAGS_SKB_MODE,
		},
	};

	return bpf(BPF_LINK_CREATE, &attributes);
}

int lab_pin(int link, const char *path)
{
	union bpf_attr attributes = { .pathname = (uintptr_t)path, .bpf_fd = link };

	return bpf(BPF_OBJ_PIN, &attributes);
}

// Tells a kernel with PREEMPT_RT that the emulated CPU's TSC has a constant rate, as it does: KVM asks for it (kvm_x86_vendor_init in arch/x86/kvm/x86.c).
#include <linux/module.h>
#include <asm/cpufeature.h>

static int __init constant_tsc_init(void)
{
	set_cpu_cap(&boot_cpu_data, X86_FEATURE_CONSTANT_TSC);
	return 0;
}
module_init(constant_tsc_init);
MODULE_DESCRIPTION("virtlat lab: the TSC is constant");
MODULE_LICENSE("GPL");

// What KVM does: entries and exits of guests, interrupts that it injects, and writes of guests that it hands on.

extension KernelEvent {
    static let ofKVM: [KernelEvent] = [
        kvmEntry, kvmExit, kvmInjVirq, kvmMSISetIRQ, kvmSetIRQ, kvmMMIO, kvmFastMMIO, kvmPIO, kvmWriteTSCOffset,
    ]

    // On arm64 kvm_entry does not tell the vCPU.
    package static let kvmEntry = KernelEvent(
        "kvm", "kvm_entry", at: .host, [.number("vcpu_id", to: .a, width: 32, required: false)], narrowing: .vcpus,
        blindOnHost: .guests, absent: Absence("no vcpu.entry, and the clock can't be checked"))
    // On arm64 kvm_exit has `ret` and `esr_ec`, on x86 `exit_reason` and `isa`.
    package static let kvmExit = KernelEvent(
        "kvm", "kvm_exit", at: .host,
        [
            .number("exit_reason", "ret", to: .a, width: 32, required: false),
            .number("isa", to: .b, width: 32, required: false),
            .number("esr_ec", to: .b, shift: 32, width: 32, required: false),
        ], narrowing: .vcpus, blindOnHost: .guests, absent: Absence("no kick, and the clock can't be checked"))

    package static let kvmInjVirq = KernelEvent(
        "kvm", "kvm_inj_virq", at: .host, [.number("vector", "irq", to: .a, width: 32)], narrowing: .vcpus, only: .x86)
    package static let kvmMSISetIRQ = KernelEvent(
        "kvm", "kvm_msi_set_irq", at: .host, [.number("data", to: .a, width: 8)], only: .x86, blindOnHost: .injection,
        absent: Absence("irq.inject is the worker's wake-up of the vCPU, or absent"))
    package static let kvmSetIRQ = KernelEvent("kvm", "kvm_set_irq", at: .host, where: .equals("level", 1))

    /// KVM_TRACE_MMIO_WRITE is 2, include/trace/events/kvm.h.
    package static let kvmMMIO = KernelEvent(
        "kvm", "kvm_mmio", at: .host, where: .equals("type", 2), blindOnHost: .kick)
    package static let kvmFastMMIO = KernelEvent("kvm", "kvm_fast_mmio", at: .host, only: .x86, blindOnHost: .kick)
    /// KVM_PIO_OUT is 1, arch/x86/kvm/trace.h.
    package static let kvmPIO = KernelEvent(
        "kvm", "kvm_pio", at: .host, where: .equals("rw", 1), only: .x86, blindOnHost: .kick)

    /// The guest's clock has been set.
    package static let kvmWriteTSCOffset = KernelEvent(
        "kvm", "kvm_write_tsc_offset", at: .host,
        [.number("previous_tsc_offset", to: .a), .number("next_tsc_offset", to: .b)],
        only: .x86, blindOnHost: .tsc)
}

extension KernelEvent {
    /// How arm64 injects interrupts: by the distributor, or by an ITS, which only kprobes by these names tell of, or
    /// the IPI to a running vCPU.
    static let ofInjection: [KernelEvent] = [
        vgicUpdateIRQPending, ipiRaise, irqfdWakeup, vgicITSInjectCachedTranslation,
    ]

    package static let vgicUpdateIRQPending = KernelEvent(
        "kvm", "vgic_update_irq_pending", at: .host, where: .equals("level", 1), only: .arm64)
    package static let ipiRaise = KernelEvent("ipi", "ipi_raise", at: .host, only: .arm64)
    package static let irqfdWakeup = KernelEvent("kprobes", "irqfd_wakeup", at: .host, only: .arm64)
    package static let vgicITSInjectCachedTranslation = KernelEvent(
        "kprobes", "vgic_its_inject_cached_translation", at: .host, only: .arm64)
}

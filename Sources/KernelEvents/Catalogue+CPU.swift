// What CPUs do: interrupts, and which thread runs.

extension KernelEvent {
    static let onCPUs: [KernelEvent] = [irqHandlerEntry, irqHandlerExit, schedSwitch, schedWaking]

    package static let irqHandlerEntry = KernelEvent(
        "irq", "irq_handler_entry", [.number("irq", to: .a), .text("name", to: .b)], narrowing: .interrupts,
        blindOnHost: .interrupts, blindInGuest: .interrupts, absent: .interruptPoints)
    package static let irqHandlerExit = KernelEvent(
        "irq", "irq_handler_exit", [.number("irq", to: .a), .number("ret", to: .b, width: 32, required: false)],
        narrowing: .interrupts, blindOnHost: .interrupts, blindInGuest: .interrupts)

    package static let schedSwitch = KernelEvent(
        "sched", "sched_switch", [.number("next_pid", to: .a, width: 32), .number("prev_state", to: .b)],
        narrowing: .threads(ids: ["prev_pid", "next_pid"], names: ["prev_comm", "next_comm"]),
        blindOnHost: .switches, blindInGuest: .switches,
        absent: Absence("no vhost.run, vcpu.run and guest.run", alone: "no app.run"))
    package static let schedWaking = KernelEvent(
        "sched", "sched_waking", [.number("pid", to: .a, width: 32)],
        narrowing: .threads(ids: ["pid"], names: ["comm"]),
        blindOnHost: .wakeUps, blindInGuest: .wakeUps, absent: Absence("no wake-up points"))

    /// NET_RX_SOFTIRQ is 3 in every kernel, include/linux/interrupt.h.
    package static let softirqRaise = KernelEvent(
        "irq", "softirq_raise", where: .equals("vec", 3), blindOnHost: .interrupts, blindInGuest: .interrupts,
        absent: .interruptPoints)
}

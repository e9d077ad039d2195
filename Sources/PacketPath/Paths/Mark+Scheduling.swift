// Operands of the marks that threads, interrupts and copies make, by their names.

import TraceData

extension Mark {
    // MARK: Threads

    /// The thread that was running.
    var threadID: ThreadID { ThreadID(thread) }
    /// The thread whose doing it is; none for an interrupt or a softirq on top of one.
    var actingThread: ThreadID { inThread ? threadID : .none }
    /// sched_waking's: the thread that is woken.
    var wokenThread: ThreadID { ThreadID(Int32(truncatingIfNeeded: a)) }
    /// sched_switch's: the thread that has the CPU from here on.
    var nextThread: ThreadID { ThreadID(Int32(truncatingIfNeeded: a)) }
    /// sched_switch's: the thread that leaves its CPU sleeps. The low byte holds its state; 0 is runnable,
    /// TASK_REPORT_MAX and above say "preempted".
    var fallsAsleep: Bool { b & 0xff != 0 }
    /// … and anything may wake it (TASK_INTERRUPTIBLE is 1, include/linux/sched.h).
    var sleepsInterruptibly: Bool { b & 0xff == 1 }

    // MARK: Interrupts

    /// Number of the interrupt that a handler is entered for, or has ended for.
    var irq: Int32 { Int32(truncatingIfNeeded: a) }
    /// irq_handler_exit's: the handler leaves the rest to the interrupt's thread (IRQ_WAKE_THREAD is 2,
    /// include/linux/irqreturn.h).
    var leavesToThread: Bool { b & 2 != 0 }
    /// kvm_msi_set_irq's vector: the low byte of the message's data.
    var signalledVector: UInt8 { UInt8(truncatingIfNeeded: a) }
    /// kvm_inj_virq's vector.
    var injectedVector: Int32 { Int32(truncatingIfNeeded: a) }
    /// kvm_entry's vcpu_id; 0 for all where the kernel's event has none.
    var vcpuNumber: Int32 { Int32(truncatingIfNeeded: a) }

    // MARK: Copies

    /// skb_copy_datagram_iovec's length.
    var copied: Int32 { Int32(truncatingIfNeeded: b) }
    /// sock_recv_length's socket, told as `connection` tells tcp_probe's.
    var readConnection: UInt32 { UInt32(truncatingIfNeeded: a) }
}

// Interrupts that are served by threads (PREEMPT_RT, or the boot option threadirqs): the handler in the hardware
// interrupt only wakes the thread "irq/N-name", and it is that thread which raises NET_RX. kernel/irq/handle.c,
// __handle_irq_event_percpu: handler, then irq_handler_exit with IRQ_WAKE_THREAD, then sched_waking of the thread.

import ClockSync
import TraceData

/// What was seen of the interrupts of one machine that have threads.
struct ThreadedInterrupts: ~Copyable {
    private struct Interrupt {
        var irq: Int32
        /// The thread that serves it.
        var thread = ThreadID.none
        /// When it came first since its thread last raised NET_RX or slept; absent when it did not.
        var time = PointTimes.absent
        /// When the thread was woken for it; absent when it was awake.
        var wake = PointTimes.absent
    }

    /// A raise of NET_RX by a thread: which interrupt that is, when it came and when it woke the thread.
    struct Raise {
        var irq: Int32
        var time: Nanoseconds
        var wake: Nanoseconds
    }

    private var interrupts: [Interrupt] = []

    /// No machine has more vectors; a corrupt file may seem to.
    private static let most = 4096

    /// Nothing here is worth looking for.
    var isEmpty: Bool { interrupts.isEmpty }

    /// An interrupt at `time` was left to its thread.
    mutating func leave(_ irq: Int32, _ time: Nanoseconds) {
        if let index = interrupts.firstIndex(where: { $0.irq == irq }) {
            // What came while the thread had not got to it yet, comes with the first.
            if interrupts[index].time == PointTimes.absent { interrupts[index].time = time }
        } else if interrupts.count < Self.most {
            interrupts.append(Interrupt(irq: irq, time: time))
        }
    }

    /// The interrupt of `start` woke its thread.
    mutating func woke(_ irq: Int32, of start: Nanoseconds, _ thread: ThreadID, _ time: Nanoseconds) {
        guard let index = interrupts.firstIndex(where: { $0.irq == irq }) else { return }
        interrupts[index].thread = thread
        // The thread may have been falling asleep on its CPU in between.
        if interrupts[index].time == PointTimes.absent { interrupts[index].time = start }
        if interrupts[index].wake == PointTimes.absent { interrupts[index].wake = time }
    }

    /// A thread raised NET_RX: the interrupt it serves is answered. Nil for a thread that serves none.
    mutating func raise(by thread: ThreadID) -> Raise? {
        guard !thread.isNone,
            let index = interrupts.firstIndex(where: { $0.thread == thread && $0.time != PointTimes.absent })
        else { return nil }
        let interrupt = interrupts[index]
        answer(index)
        return Raise(irq: interrupt.irq, time: interrupt.time, wake: interrupt.wake)
    }

    /// A thread sleeps: whatever its interrupt was for, it was no NET_RX.
    mutating func sleep(_ thread: ThreadID) {
        if let index = interrupts.firstIndex(where: { $0.thread == thread }) { answer(index) }
    }

    /// Events are missing: which interrupt still waits for its thread is not known.
    mutating func forget() { for index in interrupts.indices { answer(index) } }

    private mutating func answer(_ index: Int) {
        interrupts[index].time = PointTimes.absent
        interrupts[index].wake = PointTimes.absent
    }
}

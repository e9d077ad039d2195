// Devices that are a guest's own: their vectors on the host, and which interrupts of a guest these are.

import ClockSync
import TraceData

/// One interrupt of a device's vector on its way through the host.
struct DeviceInterrupt: BitwiseCopyable {
    /// irq_handler_entry on the host.
    var irq: Nanoseconds
    /// kvm_msi_set_irq in that handler; absent where KVM has no event for it (arm64).
    var inject = PointTimes.absent
    /// sched_waking of a vCPU thread in that handler; absent when the vCPU was awake.
    var wake = PointTimes.absent
    var vector: UInt8 = 0
    /// Another one came before the guest had polled for it.
    var isMerged = false
}

/// Whose interrupt it is, by the name of its handler.
enum InterruptSort: UInt8 {
    case unknown
    /// drivers/vfio/pci/vfio_pci_intrs.c: "vfio-msi[%d](%s)", "vfio-msix[%d](%s)", "vfio-intx(%s)".
    case vfio
    /// drivers/virtio/virtio_pci_common.c and virtio_mmio.c: the device's name, "virtio%u", comes first.
    case virtio
    case other
}

/// What the host shows of passed-through devices, and what of it has been found again in guests.
struct PassThrough: ~Copyable {
    /// A vector of a device on the host.
    struct Vector {
        var irq: Int32
        /// The oldest interrupt the guest has not had yet: later ones are merged into it.
        var waiting: DeviceInterrupt?
        /// When its handler last woke a vCPU.
        var lastWake = PointTimes.absent
    }

    /// An interrupt of a guest that is a vector of the host's.
    struct GuestInterrupt {
        var machine: MachineID
        var irq: Int32
        var vector: Int
        /// How often the events have said so.
        var votes = 1
        /// When it last came …
        var time: Nanoseconds
        /// … when before that …
        var previous = PointTimes.absent
        /// … and what it was on the host.
        var current: DeviceInterrupt?
    }

    /// So often an interrupt has to fit before it tells whose the device is. Once may be another device's, of which
    /// nothing is seen.
    static let enough = 2
    /// More interrupts than a machine has.
    private static let mostInterrupts: Int32 = 1 << 16

    private let names: NameTable
    private var sortOfName: [InterruptSort] = []
    /// By machine and number.
    private var sortOfInterrupt: Table<MachineID, [InterruptSort]>
    private(set) var vectors: [Vector] = []
    private(set) var interrupts: [GuestInterrupt] = []

    init(names: NameTable, machines: Int) {
        self.names = names
        sortOfInterrupt = Table(repeatElement([], count: machines))
    }

    // MARK: Names

    /// Takes note of an interrupt's name.
    mutating func note(_ irq: Int32, named name: UInt16, on machine: MachineID) -> InterruptSort {
        let sort = sort(ofName: name)
        guard irq >= 0, irq < Self.mostInterrupts, self.sort(of: irq, on: machine) != sort else { return sort }
        let missing = Int(irq) + 1 - sortOfInterrupt[machine].count
        if missing > 0 { sortOfInterrupt[machine] += Array(repeating: .unknown, count: missing) }
        sortOfInterrupt[machine][Int(irq)] = sort
        return sort
    }

    private mutating func sort(ofName name: UInt16) -> InterruptSort {
        guard name != 0 else { return .unknown }
        let index = Int(name)
        if index >= sortOfName.count { sortOfName += Array(repeating: .unknown, count: index + 1 - sortOfName.count) }
        if sortOfName[index] == .unknown {
            let text = names.name(name)
            sortOfName[index] = text.hasPrefix("vfio-") ? .vfio : text.hasPrefix("virtio") ? .virtio : .other
        }
        return sortOfName[index]
    }

    func sort(of irq: Int32, on machine: MachineID) -> InterruptSort {
        irq >= 0 && Int(irq) < sortOfInterrupt[machine].count ? sortOfInterrupt[machine][Int(irq)] : .unknown
    }

    /// Numbers of the interrupts a machine has had.
    func interrupts(of machine: MachineID) -> Range<Int32> { 0..<Int32(sortOfInterrupt[machine].count) }

    // MARK: On the host

    /// The handler of `irq`, entered at `time`, injects into a guest, or wakes a vCPU.
    mutating func handle(_ irq: Int32, enteredAt time: Nanoseconds, _ change: (inout DeviceInterrupt) -> Void) {
        let index: Int
        if let known = vectors.firstIndex(where: { $0.irq == irq }) {
            index = known
        } else {
            index = vectors.count
            vectors.append(Vector(irq: irq))
        }
        var interrupt = DeviceInterrupt(irq: time)
        if let waiting = vectors[index].waiting, waiting.irq == time { interrupt = waiting }
        change(&interrupt)
        if interrupt.wake != PointTimes.absent { vectors[index].lastWake = interrupt.wake }
        if let waiting = vectors[index].waiting, waiting.irq != time {
            vectors[index].waiting?.isMerged = true
        } else {
            vectors[index].waiting = interrupt
        }
    }

    /// The host has a hole: which interrupt was the first one is not known any more.
    mutating func forgetWaiting() {
        for index in vectors.indices { vectors[index].waiting = nil }
    }

    // MARK: In the guest

    func interrupt(_ irq: Int32, on machine: MachineID) -> Int? {
        interrupts.firstIndex { $0.irq == irq && $0.machine == machine }
    }

    /// An interrupt of a guest came that is known to be a vector of the host's.
    /// - Parameter isMerged: no poll has answered the one before it, whose packets these are too.
    mutating func came(_ index: Int, at time: Nanoseconds, isMerged: Bool) {
        let waiting = vectors[interrupts[index].vector].waiting
        vectors[interrupts[index].vector].waiting = nil
        guard !isMerged else {
            interrupts[index].current?.isMerged = true
            return
        }
        interrupts[index].previous = interrupts[index].time
        interrupts[index].time = time
        interrupts[index].current = waiting
    }

    /// One vector fits an interrupt of a guest.
    mutating func vote(_ vector: Int, for irq: Int32, on machine: MachineID, at time: Nanoseconds) {
        guard let index = interrupt(irq, on: machine) else {
            interrupts.append(
                GuestInterrupt(machine: machine, irq: irq, vector: vector, time: time, current: vectors[vector].waiting)
            )
            vectors[vector].waiting = nil
            return
        }
        if interrupts[index].vector == vector {
            interrupts[index].votes = min(interrupts[index].votes + 1, 8)
        } else if interrupts[index].votes > 1 {
            interrupts[index].votes -= 1
        } else {
            interrupts[index].vector = vector
            interrupts[index].current = vectors[vector].waiting
            vectors[vector].waiting = nil
        }
    }
}

// What the tracker's tables are asked by: one type for each sort of row, so that a queue can't be taken for a port.

import TraceData

/// A row of a `Table`, as small as what it is stored in allows.
protocol RowID: Equatable, BitwiseCopyable {
    init(row: Int)
    var row: Int { get }
}

/// A queue pair of a guest, as the host sees it (`GuestQueue`).
struct QueueID: RowID {
    private let number: Int16

    @inline(__always) init(row: Int) { number = Int16(row) }
    @inline(__always) var row: Int { Int(number) }

    @inline(__always) static var none: QueueID { QueueID(row: -1) }
    @inline(__always) var isNone: Bool { number < 0 }
}

/// A queue pair of a guest's network device, as the guest sees it (`GuestPort`).
struct PortID: RowID, Hashable {
    private let number: Int16

    @inline(__always) init(row: Int) { number = Int16(row) }
    @inline(__always) var row: Int { Int(number) }

    @inline(__always) static var none: PortID { PortID(row: -1) }
    @inline(__always) var isNone: Bool { number < 0 }
}

/// A vCPU's thread on the host (`VCPU`).
struct VCPUID: RowID {
    private let number: Int16

    @inline(__always) init(row: Int) { number = Int16(row) }
    @inline(__always) var row: Int { Int(number) }

    /// So many can be told apart.
    static let most = Int(Int16.max)
    @inline(__always) static var none: VCPUID { VCPUID(row: -1) }
    @inline(__always) var isNone: Bool { number < 0 }
}

/// A CPU of one of the machines: a lane of the stream that marks come from (`LaneState`).
struct LaneID: RowID {
    private let number: UInt16

    @inline(__always) init(row: Int) { number = UInt16(row) }
    /// The one that a mark was made on.
    @inline(__always) init(of mark: Mark) { number = mark.lane }
    @inline(__always) private init(number: UInt16) { self.number = number }
    @inline(__always) var row: Int { Int(number) }

    @inline(__always) static var none: LaneID { LaneID(number: .max) }
    @inline(__always) var isNone: Bool { number == .max }
}

/// A thread, as a row of its machine's `ThreadTable`. What the kernel calls it (its pid) is another number.
struct ThreadIndex: RowID {
    private let number: Int32

    @inline(__always) init(row: Int) { number = Int32(row) }
    @inline(__always) var row: Int { Int(number) }

    @inline(__always) static var none: ThreadIndex { ThreadIndex(row: -1) }
    @inline(__always) var isNone: Bool { number < 0 }
}

/// A machine: the host, or one of its guests.
struct MachineID: RowID {
    private let number: UInt8

    @inline(__always) init(row: Int) { number = UInt8(row) }
    @inline(__always) private init(number: UInt8) { self.number = number }
    @inline(__always) var row: Int { Int(number) }

    /// One of the guests, counted from 0.
    @inline(__always) init(guest: Int) { self.init(row: guest + 1) }

    @inline(__always) static var host: MachineID { MachineID(number: 0) }
    @inline(__always) var isHost: Bool { number == 0 }

    /// No session has so many machines (`Machines`).
    @inline(__always) static var none: MachineID { MachineID(number: .max) }
    @inline(__always) var isNone: Bool { number == .max }
}

/// A thread as its kernel calls it: its pid.
struct ThreadID: Equatable, BitwiseCopyable {
    let number: Int32

    @inline(__always) init(_ number: Int32) { self.number = number }

    /// Every CPU has one of its own, and they share this number.
    @inline(__always) static var idle: ThreadID { ThreadID(0) }
    @inline(__always) static var none: ThreadID { ThreadID(-1) }
    @inline(__always) var isNone: Bool { number < 0 }
}

/// Threads that are told apart from others.
struct ThreadSet {
    private let numbers: Set<Int32>

    init(_ numbers: Set<Int32>) { self.numbers = numbers }

    func contains(_ id: ThreadID) -> Bool { numbers.contains(id.number) }
}

// What native XDP has redirected and not yet sent out, by CPU; and what XDP's events have told of interfaces.

import TraceData

/// A frame that has been redirected, to an interface by index.
struct RedirectedFrame: BitwiseCopyable {
    var flight: FlightID
    var interface: Int32
}

struct Redirects: ~Copyable {
    struct CPU {
        /// Not sent out yet, oldest first.
        var frames: [RedirectedFrame] = []
        /// Interface that frames were redirected from in this poll, 0 for none.
        var source: Int32 = 0
    }

    private var cpus = Table<LaneID, CPU>()
    /// A frame has been redirected: as long as none has, no packet of another path's has to do with any of this.
    private(set) var isInUse = false
    /// Interfaces whose programs run in the driver.
    var native: Set<Int32> = []
    /// Names of interfaces, where events have told them.
    var names: [Int32: UInt16] = [:]

    init(lanes: Int) {
        for _ in 0..<lanes { cpus.append(CPU()) }
    }

    // MARK: Frames on their way

    mutating func add(_ id: FlightID, to interface: Int32, on lane: LaneID) {
        isInUse = true
        cpus[lane].frames.append(RedirectedFrame(flight: id, interface: interface))
        // Sent out without an event, if there are so many.
        if cpus[lane].frames.count > VirtqueueOrder.mostWaiting { cpus[lane].frames.removeFirst() }
    }

    /// Those of one CPU, oldest first.
    func frames(on lane: LaneID) -> [RedirectedFrame] { isInUse ? cpus[lane].frames : [] }

    /// The others are out.
    mutating func keep(_ frames: [RedirectedFrame], on lane: LaneID) { cpus[lane].frames = frames }

    /// What was redirected is out, or gone.
    mutating func forgetFrames(on lane: LaneID) {
        if isInUse { cpus[lane].frames.removeAll(keepingCapacity: true) }
    }

    /// Whether any CPU has frames that are on their way to an interface.
    func lead(to interface: Int32) -> Bool {
        isInUse && cpus.ids.contains { cpus[$0].frames.contains { $0.interface == interface } }
    }

    /// Frames that other CPUs than this one send to an interface.
    func frames(to interface: Int32, butOn lane: LaneID) -> [FlightID] {
        guard isInUse else { return [] }
        var found: [FlightID] = []
        for other in cpus.ids where other != lane {
            for frame in cpus[other].frames where frame.interface == interface { found.append(frame.flight) }
        }
        return found
    }

    // MARK: Polls

    /// An interface's frames are redirected in this poll.
    mutating func begin(from interface: Int32, on lane: LaneID) { cpus[lane].source = interface }

    /// A device's poll is over, before which its driver sends all out; and whose interface it was is known now.
    mutating func endPoll(of device: UInt16, on lane: LaneID) {
        guard isInUse else { return }
        if cpus[lane].source != 0 { names[cpus[lane].source] = device }
        cpus[lane].source = 0
        forgetFrames(on: lane)
    }

    /// A hole in the recording makes all of this doubtful.
    mutating func forget(_ lane: LaneID) {
        guard isInUse else { return }
        cpus[lane].source = 0
        forgetFrames(on: lane)
    }
}

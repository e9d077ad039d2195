// Follows packets: marks in, journeys out. The state of all machines, and which mark goes where.

import ClockSync
package import TraceData

/// How a guest's events lie in its vCPUs' entry windows, at the clock map in use.
package struct Containment: Sendable {
    /// Guest events between a kvm_entry and the next kvm_exit of their vCPU.
    package var inside = 0
    /// Guest events while their vCPU was not in the guest: with a true map there are none.
    package var outside = 0

    /// The clock map can't be true: more than one event in a hundred lies where the guest did not run.
    package var contradictsMap: Bool { outside >= 10 && outside * 100 > inside + outside }
}

/// Turns one merged stream of marks into journeys.
///
/// Identity, not vicinity: inside a kernel a packet is its skb address until that is freed; across the virtqueue
/// it is its place in the queue's order (`RingOrder`).
package struct Tracker: ~Copyable {
    struct MachineState: ~Copyable {
        var skbs = AddressTable()
        var threads = ThreadTable()
        var napi = NapiInstances()
        var threadedInterrupts = ThreadedInterrupts()
        /// By the address of the socket.
        var sockets: [UInt64: SocketQueue] = [:]
        /// Lanes with a hole that is open at this moment.
        var openHoles = 0
        /// What happened before this time is doubtful: there is a hole in between.
        var validFrom = PointTimes.absent
        var openLanes = 0
        /// The first event of all.
        var startTime = PointTimes.absent
        var containment = Containment()
        /// The port its agent listens on, where the recorder reached it over TCP.
        var agentPort: UInt16?
        /// Packets that the stack has and nobody has read yet, oldest first; some of them ended long ago.
        var unread = FlightQueue()
        /// Packets were read that only sockets' events would have told of, which are not recorded.
        var missesSockets = false
        /// TCP's data has been taken without a copy: a splice into a pipe, which no event tells of.
        var hasSilentStreams = false
        /// Datagrams that came in fragments and have not been read, oldest first.
        var reassembled: [Reassembled] = []
        /// Packets of threads that may have been in a sending call since before the recording, oldest first.
        var callsUnknown = FlightQueue()
        /// What threads are reading.
        var reads: [StreamRead] = []
        /// Packets between recorder and agent, which no journey tells of.
        var recorderPackets = 0
        /// Marks of each kind seen: what was recorded at all.
        var kindCounts = InlineArray<256, Int>(repeating: 0)
    }

    /// So many devices are told apart at the most; more is no machine but a corrupt file.
    static let mostDevices = 8192

    let paths = PathTable()
    /// By machine, the host first.
    let kernels: [KernelTraits]
    private let kinds = MarkKind.byRawValue
    /// Threads that are vhost workers by their names, whether or not they have done anything yet.
    let workers: Set<Int32>
    /// Threads that have other names.
    let otherThreads: Set<Int32>
    /// By machine: threads of work queues.
    let queueWorkers: [Set<Int32>]
    /// The path every queue has, whatever the events say; nil for what they say.
    let forcedPath: PathKind?
    let sink: any JourneySink
    /// The host's own packets are followed, and not its guests'.
    package let followsHost: Bool
    /// Name of the loopback device, 0 where it has none.
    let loopback: UInt16
    var flights = FlightDeck()
    // Machine 0 is the host.
    let machineCount: Int
    var machines = Shelf<MachineState>()
    var lanes = Shelf<LaneState>()
    var queues = Shelf<GuestQueue>()
    var ports = Shelf<GuestPort>()
    var vcpus = Shelf<VCPU>()
    /// Host devices that have received: what is sent to them leaves the host.
    var nics: [UInt16] = []
    /// What elimination has found so far, by lane and vCPU: guest events outside that vCPU's windows.
    var assignment = VCPUAssignment()
    /// The recording has kvm_inj_virq, so an entry that carries an interrupt can be told from others.
    var seesInjections = false
    /// KVM has told of an interrupt that a worker injected.
    var seesSignals = false
    var hostEnded = false
    /// Interfaces whose programs run in the driver.
    var nativeInterfaces: Set<Int32> = []
    /// Names of interfaces, where events have told them.
    var interfaceNames: [Int32: UInt16] = [:]
    /// Packets that went from one guest to another so far.
    var relays: UInt32 = 0
    /// Packets that ovs-vswitchd has, oldest first.
    var upcalls: [Upcall] = []
    /// … and those that it has given back of several.
    var returned: [GivenBack] = []
    /// Devices that are a guest's own.
    var passThrough: PassThrough
    /// Journeys that ended before it was known whose they are.
    var orphans: [(journey: Journey, port: Int16)] = []
    /// … and more of them.
    var uncounted: [UncountedPacket: Int] = [:]

    /// - Parameters:
    ///   - threads: for each guest, machine 1 first, the host thread of each of its CPUs; empty where that is not known.
    ///   - agentPorts: for each guest, machine 1 first, the TCP port of its agent, if it was reached over TCP.
    ///   - workers: host threads that are vhost workers by their names.
    ///   - otherThreads: host threads whose names say that they are not.
    ///   - queueWorkers: by machine, the host first: threads of work queues by their names.
    ///   - kernels: by machine, the host first: what its kernel tells and what it does not.
    ///   - path: the path every packet takes, whatever the events say; nil for what they say. `host`: the host's own packets are followed, and
    ///     not its guests'.
    ///   - loopback: name of the loopback device, whose packets are nobody's; 0 where it has none.
    ///   - lanes: lanes of the stream the marks come from.
    ///   - names: what the names in marks stand for.
    package init(
        threadsOfGuests threads: [[Int: Int32]], agentPorts: [UInt16?] = [], workers: Set<Int32> = [], otherThreads: Set<Int32> = [],
        queueWorkers: [Set<Int32>] = [], kernels: [KernelTraits] = [], path: PathKind? = nil, loopback: UInt16 = 0, lanes: [Lane],
        names: NameTable = NameTable(),
        sink: any JourneySink
    ) {
        self.workers = workers
        self.otherThreads = otherThreads
        self.queueWorkers = queueWorkers + Array(repeating: [], count: threads.count + 1 - queueWorkers.count)
        self.kernels = kernels + Array(repeating: KernelTraits(), count: threads.count + 1 - kernels.count)
        forcedPath = path
        followsHost = path == .host
        self.loopback = loopback
        self.sink = sink
        machineCount = threads.count + 1
        passThrough = PassThrough(names: names, machines: threads.count + 1)
        for _ in 0..<machineCount { machines.append(MachineState()) }
        for (guest, port) in agentPorts.enumerated() { machines[guest + 1].agentPort = port }
        for lane in lanes {
            let idle = machines[lane.machine].threads.index(0)
            self.lanes.append(LaneState(machine: UInt8(lane.machine), cpu: lane.cpu, thread: idle))
        }
        for (guest, threadOfCPU) in threads.enumerated() {
            // trace-cmd writes -1 where it did not find a thread.
            for (cpu, thread) in threadOfCPU.sorted(by: { $0.key < $1.key }) where thread > 0 && vcpus.count < Int(Int16.max) {
                addVCPU(thread: machines[0].threads.index(thread), guest: Int16(guest + 1), number: Int32(cpu))
                for lane in lanes.indices where lanes[lane].machine == guest + 1 && lanes[lane].cpu == cpu {
                    self.lanes[lane].vcpu = Int16(vcpus.count - 1)
                    vcpus[vcpus.count - 1].lane = Int32(lane)
                }
            }
        }
    }

    /// Takes in the next marks, in time order.
    package mutating func follow(_ marks: UnsafeBufferPointer<Mark>) {
        for index in marks.indices {
            let mark = unsafe marks[index]
            let lane = Int(mark.lane)
            let machine = Int(lanes[lane].machine)
            if mark.kind >= Mark.Reserved.lostBegin {
                reserved(mark, lane, machine)
                continue
            }
            guard let kind = kinds[Int(mark.kind)] else { continue }
            machines[machine].kindCounts[Int(mark.kind)] &+= 1
            if followsHost {
                if machine == 0 { followHostPath(kind, mark, lane) }
            } else if machine == 0 {
                followHost(kind, mark, lane)
            } else {
                followGuest(kind, mark, lane, machine)
            }
        }
    }

    /// What interrupts do is the same on every machine.
    mutating func followInterrupts(_ kind: MarkKind, _ mark: Mark, _ lane: Int, _ machine: Int) {
        switch kind {
        case .irqEntry:
            noteInterrupt(mark, lane)
            lanes[lane].enterIRQ(mark.otherThread, mark.time)
        case .irqExit: leaveIRQ(mark, lane, machine)
        case .netRxRaised:
            if mark.inHardIRQ {
                lanes[lane].raise()
                learnPassThrough(lane)
            } else if mark.inThread {
                raiseInThread(mark, lane, machine)
            }
        default: break
        }
    }

    /// Some things are known only as long as nothing else has happened on the CPU: to be asked of every mark before it is followed.
    @inline(__always)
    mutating func endWhatIsBrief(_ kind: MarkKind, _ mark: Mark, _ lane: Int, _ machine: Int) {
        if lanes[lane].isHolding { endHeld(kind, mark, lane, machine) }
    }

    private mutating func endHeld(_ kind: MarkKind, _ mark: Mark, _ lane: Int, _ machine: Int) {
        if lanes[lane].wakingFor >= 0 { wakeInterruptThread(kind, mark, lane, machine) }
        if !lanes[lane].fresh.isNone, !kind.isOfInterrupt, kind != .redirect, kind != .ovsAction, !mark.inHardIRQ {
            lanes[lane].fresh = .none
        }
        if lanes[lane].segmented != nil, !isOfSegments(kind, mark, lane) { settleSegments(lane) }
        if !lanes[lane].split.isNone, !isOfReceipt(kind, mark) { settleSplit(lane) }
        lanes[lane].releaseHold()
    }

    /// Index of the thread that made the mark: nearly always the one that made the mark before on its CPU.
    @inline(__always)
    mutating func thread(of mark: Mark) -> Int32 {
        let lane = Int(mark.lane)
        if lanes[lane].threadID != mark.thread {
            lanes[lane].threadID = mark.thread
            lanes[lane].thread = machines[Int(lanes[lane].machine)].threads.index(mark.thread)
        }
        return lanes[lane].thread
    }

    /// - Returns: index of the guest's queue pair that the instance polls, -1 while unknown and on the host.
    @discardableResult
    mutating func pollEnded(_ mark: Mark, _ lane: Int, _ machine: Int) -> Int {
        let port = machines[machine].napi.note(mark.a, device: mark.name, work: mark.work, port: lanes[lane].polledPort)
        lanes[lane].polledPort = -1
        lanes[lane].polled(mark.a, &machines[machine].napi)
        lanes[lane].stopReceiving()
        lanes[lane].polled = .none
        lanes[lane].isSettled = true
        return Int(port)
    }

    /// A new flight, marked as lost when there is a hole on its machine right now.
    mutating func newFlight(_ direction: Direction, on machine: Int) -> FlightID {
        let id = flights.add()
        flights[id].direction = direction
        flights[id].machine = UInt8(machine)
        if machines[machine].openHoles > 0 { flights[id].flags.insert(.lost) }
        return id
    }

    /// Gives `id` the skb address, ending whatever had it before.
    mutating func name(_ id: FlightID, _ skb: UInt64, on machine: Int) {
        let stale = machines[machine].skbs[skb]
        if !stale.isNone, stale != id, flights.contains(stale) { reborn(stale) }
        // The address it had in the other kernel may be anybody's by now.
        unname(id)
        flights[id].skb = skb
        flights[id].machine = UInt8(machine)
        machines[machine].skbs.set(skb, id)
    }

    /// Takes the flight's address away: from here on the same address is another packet.
    mutating func unname(_ id: FlightID) {
        let skb = flights[id].skb
        guard skb != 0 else { return }
        let machine = Int(flights[id].machine)
        if machines[machine].skbs[skb] == id { machines[machine].skbs.remove(skb) }
        flights[id].skb = 0
    }

    /// The live flight that has this address.
    @inline(__always)
    func flight(_ skb: UInt64, on machine: Int) -> FlightID {
        let id = machines[machine].skbs[skb]
        return flights.contains(id) ? id : .none
    }

    /// Marks of a kind that came from a machine.
    package func count(of kind: MarkKind, on machine: Int) -> Int { machines[machine].kindCounts[Int(kind.rawValue)] }

    /// Whether packets of a machine were read that only events of its sockets would have told of.
    package func missesSockets(_ machine: Int) -> Bool { machines[machine].missesSockets }

    /// Packets of a guest that were the recorder's own, and that no journey tells of.
    package func recorderPackets(of machine: Int) -> Int { machines[machine].recorderPackets }

    /// What was found out about each guest's clock.
    package func containment(of machine: Int) -> Containment {
        // Without both ends there are no windows.
        count(of: .vmEntry, on: 0) == 0 || count(of: .vmExit, on: 0) == 0 ? Containment() : machines[machine].containment
    }
}

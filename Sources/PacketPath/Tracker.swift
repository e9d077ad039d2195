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
/// it is its place in the queue's order (`VirtqueueOrder`).
package struct Tracker: ~Copyable {

    struct MachineState: ~Copyable {
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
        /// Copies whose socket is not known yet.
        var copies = SocketCopies()
        /// tcp_probe tells its connection by the socket's address.
        var tellsConnections = false
        /// Packets between recorder and agent, which no journey tells of.
        var recorderPackets = 0
        /// Marks of each kind seen: what was recorded at all.
        var kindCounts = InlineArray<256, Int>(repeating: 0)
    }

    /// So many devices are told apart at the most; more is no machine but a corrupt file.
    static let mostDevices = 8192

    let paths = PathTable()
    /// By machine, the host first.
    let kernels: Table<MachineID, KernelTraits>
    let kinds = MarkKind.byRawValue
    /// Threads that are vhost workers by their names, whether or not they have done anything yet.
    let workers: ThreadSet
    /// Threads that have other names.
    let otherThreads: ThreadSet
    /// By machine: threads of work queues.
    let queueWorkers: Table<MachineID, ThreadSet>
    /// The path every queue has, whatever the events say; nil for what they say.
    let forcedPath: PathKind?
    let sink: any JourneySink
    /// Journeys so far.
    var handedOn = 0
    let witness: Witness?
    /// The host's own packets are followed, and not its guests'.
    package let followsHost: Bool
    /// Name of the loopback device, 0 where it has none.
    let loopback: UInt16
    var flights: FlightTable
    var machines = Table<MachineID, MachineState>()
    var lanes = Table<LaneID, LaneState>()
    var queues = Table<QueueID, GuestQueue>()
    var ports = Table<PortID, GuestPort>()
    var vcpus = Table<VCPUID, VCPU>()
    /// Host devices that have received: what is sent to them leaves the host.
    var nics: [UInt16] = []
    /// What elimination has found so far, by lane and vCPU: guest events outside that vCPU's windows.
    var assignment = VCPUAssignment()
    /// The recording has kvm_inj_virq, so an entry that carries an interrupt can be told from others.
    var seesInjections = false
    /// KVM has told of an interrupt that a worker injected.
    var seesSignals = false
    var hostEnded = false
    var redirects: Redirects
    /// Packets that went from one guest to another so far.
    var relays: UInt32 = 0
    /// Packets that ovs-vswitchd has, oldest first.
    var upcalls: [Upcall] = []
    /// … and those that it has given back of several.
    var returned: [GivenBack] = []
    /// Devices that are a guest's own.
    var passThrough: PassThrough
    /// Journeys that ended before it was known whose they are.
    var orphans: [(journey: Journey, port: PortID)] = []
    /// … what shows their points, where there is a witness …
    var evidenceOfOrphans: [JourneyEvidence] = []
    /// … and more of them.
    var uncounted: [UncountedPacket: Int] = [:]

    /// - Parameters:
    ///   - threads: for each guest, machine 1 first, the host thread of each of its CPUs; empty where that is not
    ///     known.
    ///   - agentPorts: for each guest, machine 1 first, the TCP port of its agent, if it was reached over TCP.
    ///   - workers: host threads that are vhost workers by their names.
    ///   - otherThreads: host threads whose names say that they are not.
    ///   - queueWorkers: by machine, the host first: threads of work queues by their names.
    ///   - kernels: by machine, the host first: what its kernel tells and what it does not.
    ///   - path: the path every packet takes, whatever the events say; nil for what they say. `host`: the host's own
    ///     packets are followed, and not its guests'.
    ///   - loopback: name of the loopback device, whose packets are nobody's; 0 where it has none.
    ///   - lanes: lanes of the stream the marks come from.
    ///   - names: what the names in marks stand for.
    ///   - witness: takes what shows the points of the packets it wants.
    package init(
        threadsOfGuests threads: [[Int: Int32]], agentPorts: [UInt16?] = [], workers: Set<Int32> = [],
        otherThreads: Set<Int32> = [],
        queueWorkers: [Set<Int32>] = [], kernels: [KernelTraits] = [], path: PathKind? = nil, loopback: UInt16 = 0,
        lanes: [Lane],
        names: NameTable = NameTable(), witness: Witness? = nil, sink: any JourneySink
    ) {
        self.workers = ThreadSet(workers)
        self.otherThreads = ThreadSet(otherThreads)
        let count = threads.count + 1
        self.queueWorkers = Table(
            (queueWorkers + Array(repeating: [], count: count - queueWorkers.count)).map(ThreadSet.init))
        self.kernels = Table(kernels + Array(repeating: KernelTraits(), count: count - kernels.count))
        forcedPath = path
        followsHost = path == .host
        self.loopback = loopback
        self.sink = sink
        self.witness = witness
        flights = FlightTable(machines: count, keepingEvidence: witness != nil)
        passThrough = PassThrough(names: names, machines: count)
        redirects = Redirects(lanes: lanes.count)
        for _ in 0..<count { machines.append(MachineState()) }
        for (guest, port) in agentPorts.enumerated() { machines[MachineID(guest: guest)].agentPort = port }
        for lane in lanes {
            let machine = MachineID(row: lane.machine)
            let idle = machines[machine].threads.index(.idle)
            self.lanes.append(LaneState(machine: machine, cpu: lane.cpu, thread: idle))
        }
        for (number, threadOfCPU) in threads.enumerated() {
            let guest = MachineID(guest: number)
            // trace-cmd writes -1 where it did not find a thread.
            for (cpu, thread) in threadOfCPU.sorted(by: { $0.key < $1.key })
            where thread > 0 && vcpus.count < VCPUID.most {
                let vcpu = addVCPU(
                    thread: machines[.host].threads.index(ThreadID(thread)), guest: guest, number: Int32(cpu))
                for lane in self.lanes.ids where self.lanes[lane].machine == guest && self.lanes[lane].cpu == cpu {
                    self.lanes[lane].vcpu = vcpu
                    vcpus[vcpu].lane = lane
                }
            }
        }
    }

    /// The thread that made the mark: nearly always the one that made the mark before on its CPU.
    @inline(__always)
    mutating func thread(of mark: Mark) -> ThreadIndex {
        let lane = LaneID(of: mark)
        if lanes[lane].threadID != mark.threadID {
            lanes[lane].threadID = mark.threadID
            lanes[lane].thread = machines[lanes[lane].machine].threads.index(mark.threadID)
        }
        return lanes[lane].thread
    }

    /// A new flight, marked as lost when there is a hole on its machine right now.
    mutating func newFlight(_ direction: Direction, on machine: MachineID) -> FlightID {
        let id = flights.add(direction, on: machine)
        if machines[machine].openHoles > 0 { flights[id].flags.insert(.lost) }
        return id
    }

    /// The live flight that has this address.
    @inline(__always)
    func flight(_ skb: UInt64, on machine: MachineID) -> FlightID { flights.holder(of: skb, on: machine) }

    /// Marks of a kind that came from a machine.
    func count(of kind: MarkKind, on machine: MachineID) -> Int { machines[machine].kindCounts[Int(kind.rawValue)] }

    /// Marks of a kind that came from a machine.
    package func count(of kind: MarkKind, on machine: Int) -> Int { count(of: kind, on: MachineID(row: machine)) }

    /// Whether packets of a machine were read that only events of its sockets would have told of.
    package func missesSockets(_ machine: Int) -> Bool { machines[MachineID(row: machine)].missesSockets }

    /// Packets of a guest that were the recorder's own, and that no journey tells of.
    package func recorderPackets(of machine: Int) -> Int { machines[MachineID(row: machine)].recorderPackets }

    /// What was found out about each guest's clock.
    package func containment(of machine: Int) -> Containment {
        // Without both ends there are no windows.
        if count(of: .vmEntry, on: .host) == 0 || count(of: .vmExit, on: .host) == 0 { return Containment() }
        return machines[MachineID(row: machine)].containment
    }

    @discardableResult
    mutating func addVCPU(thread: ThreadIndex, guest: MachineID, number: Int32) -> VCPUID {
        let vcpu = vcpus.append(VCPU(thread: thread, guest: guest, number: number))
        machines[.host].threads[thread].vcpu = vcpu
        machines[.host].threads[thread].keepLongHistory()
        return vcpu
    }
}

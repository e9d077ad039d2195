// session.json: what was recorded, how, with what evidence about the clocks, and what is missing.

/// The manifest of a session folder, schema 1. Times are ns unless a name says otherwise; raw times are in the
/// machine's trace clock.
package struct Manifest: Codable, Sendable, Equatable {
    package static let schema = 1
    /// The manifest's name in a session folder.
    package static let fileName = "session.json"

    package var schema = Manifest.schema
    /// What wrote it: "virtlat 0.1.0".
    package var recorder: String
    /// When the recording began, UTC, ISO 8601.
    package var started: String
    package var outcome: Outcome
    /// What is missing of the recording, one sentence each; none when all of it is there.
    package var faults: [String] = []
    /// The command that was recorded, and how it ended; absent when the recording had a duration or ran until it was
    /// stopped.
    package var command: [String]?
    package var commandStatus: Int32?
    /// Trace clock of all machines, by the name that ftrace gives it.
    package var traceClock: String
    /// How cycles become ns, where the trace clock is `x86-tsc`.
    package var cycleRate: CycleRate?
    package var transfer: Transfer
    /// Host time (ns of the host's trace clock) while the measurement ran: without the clock exchanges before and after
    /// it.
    package var measured: Window?
    /// The host first.
    package var machines: [RecordedMachine]
    /// As it was while the measurement ran.
    package var topology: Topology
    /// How threads were bound for the time of the recording; absent when they were left where they were.
    package var binding: Binding?
    /// One for each guest.
    package var clocks: [RecordedClock]

    package enum Outcome: String, Codable, Sendable {
        /// Still running, or its recorder and the recorder's guard were both killed.
        case recording
        case complete
        /// Ended before its time; `faults` says what is missing.
        case cutOff = "cut-off"
    }

    package enum Transfer: String, Codable, Sendable, CaseIterable {
        /// Guests keep their trace until the measurement is over.
        case after
        /// Guests send it while they record.
        case live
    }

    package struct Window: Codable, Sendable, Equatable {
        package var begin: Int64
        /// Absent when the recorder was killed before the end.
        package var end: Int64?

        package init(begin: Int64, end: Int64?) {
            self.begin = begin
            self.end = end
        }

        enum CodingKeys: String, CodingKey {
            case begin = "begin_ns"
            case end = "end_ns"
        }
    }

    /// What was asked for, in the words of `virtlat bind`; what came of it is in `topology`.
    package struct Binding: Codable, Sendable, Equatable {
        /// Where the vhost workers run.
        package var policy: String?
        /// Where the vCPUs run.
        package var vcpus: String?
        /// The workers' scheduling class.
        package var scheduling: String?

        package init(policy: String?, vcpus: String?, scheduling: String?) {
            self.policy = policy
            self.vcpus = vcpus
            self.scheduling = scheduling
        }
    }

    /// ns = (cycles · multiplier) >> shift, by the host's kernel.
    package struct CycleRate: Codable, Sendable, Equatable {
        package var multiplier: UInt32
        package var shift: UInt32

        package init(multiplier: UInt32, shift: UInt32) {
            self.multiplier = multiplier
            self.shift = shift
        }
    }

    package init(
        recorder: String, started: String, outcome: Outcome, traceClock: String, transfer: Transfer,
        machines: [RecordedMachine],
        topology: Topology, clocks: [RecordedClock] = [], command: [String]? = nil
    ) {
        self.recorder = recorder
        self.started = started
        self.outcome = outcome
        self.traceClock = traceClock
        self.transfer = transfer
        self.machines = machines
        self.topology = topology
        self.clocks = clocks
        self.command = command
    }

    enum CodingKeys: String, CodingKey {
        case schema, recorder, started, outcome, faults, command
        case commandStatus = "command_status"
        case traceClock = "trace_clock"
        case cycleRate = "tsc_to_ns"
        case transfer, measured, machines, topology, binding, clocks
    }
}

/// One machine of a session, as it was recorded.
package struct RecordedMachine: Codable, Sendable, Equatable {
    package enum Role: String, Codable, Sendable { case host, guest }

    package var name: String
    package var role: Role
    /// Its trace.dat file, relative to the folder; absent when nothing of it could be kept.
    package var file: String?
    package var release: String
    /// CPUs that the kernel traced.
    package var cpus: Int
    package var traceID: UInt64
    /// How its agent was reached: "vsock:3:4040", "tcp:10.55.0.3:4040"; absent for the host.
    package var address: String?
    /// Process id of its VM in `topology`; absent for the host, and when the VM was not found.
    package var vm: Int32?
    /// The events that were switched on.
    package var events: [RecordedEvent]
    /// Events that were wanted and that this kernel does not have.
    package var absentEvents: [String]
    /// Ring buffer of each CPU.
    package var bufferKiB: Int
    /// Events the kernel counted as lost: overwritten before they were read, or without room.
    package var lostEvents: Int
    package var disturbance: Disturbance

    package init(
        name: String, role: Role, file: String?, release: String, cpus: Int, traceID: UInt64, address: String? = nil,
        events: [RecordedEvent], absentEvents: [String], bufferKiB: Int, lostEvents: Int = 0,
        disturbance: Disturbance = Disturbance()
    ) {
        self.name = name
        self.role = role
        self.file = file
        self.release = release
        self.cpus = cpus
        self.traceID = traceID
        self.address = address
        self.events = events
        self.absentEvents = absentEvents
        self.bufferKiB = bufferKiB
        self.lostEvents = lostEvents
        self.disturbance = disturbance
    }

    /// The port in a TCP address.
    package var agentPort: UInt16? {
        guard let address, address.hasPrefix("tcp:"), let colon = address.lastIndex(of: ":") else { return nil }
        return UInt16(address[address.index(after: colon)...])
    }

    enum CodingKeys: String, CodingKey {
        case name, role, file, release, cpus
        case traceID = "trace_id"
        case address, vm, events
        case absentEvents = "absent_events"
        case bufferKiB = "buffer_kib"
        case lostEvents = "lost_events"
        case disturbance
    }
}

/// One event that was recorded.
package struct RecordedEvent: Codable, Sendable, Equatable {
    /// "sched:sched_switch".
    package var event: String
    /// The kernel-side filter it had.
    package var filter: String?

    package init(event: String, filter: String?) {
        self.event = event
        self.filter = filter
    }
}

/// What recording itself cost on one machine while the measurement ran, and the bytes it moved.
package struct Disturbance: Codable, Sendable, Equatable {
    /// CPU time of the recorder or agent, user and system together, from the first traced event to the last.
    package var cpuTime: Int64?
    /// Times its threads gave up a CPU and were woken again, in the same time (voluntary context switches).
    package var wakeUps: Int?
    /// Trace bytes that left the ring buffer while the measurement ran.
    package var bytesDuring: Int?
    /// Trace bytes that were moved after it.
    package var bytesAfter: Int?
    /// Events in the trace that happened in the recorder's own threads.
    package var ownEvents: Int?
    /// All events of the trace.
    package var allEvents: Int?

    package init() {}

    enum CodingKeys: String, CodingKey {
        case cpuTime = "cpu_ns"
        case wakeUps = "wake_ups"
        case bytesDuring = "bytes_during"
        case bytesAfter = "bytes_after"
        case ownEvents = "own_events"
        case allEvents = "all_events"
    }
}

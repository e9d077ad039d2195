// One look at a session: chooses the guests' clocks, follows the packets, and starts over if the events contradict the
// clocks.

package import GuestClocks
package import PacketPath
import Sessions
package import TraceData

/// How a session is to be read, and the reading of it.
package struct SessionPass {
    package var session: Session
    package var clock = ClockSelection.automatic
    package var servoLogs: [ServoEvidence] = []
    /// The path that all packets take, whatever their events say; nil for what those say.
    package var path: PathKind?
    package var filter = JourneyFilter()

    /// What takes its time.
    package enum Work: Sendable { case findingClocks, following }

    /// - Parameter share: of the work done, 0 to 1; nil when it is over.
    package typealias Progress = (_ work: Work, _ share: Double?) -> Void

    package init(
        _ session: Session, clock: ClockSelection = .automatic, servoLogs: [ServoEvidence] = [], path: PathKind? = nil,
        filter: JourneyFilter = JourneyFilter()
    ) {
        self.session = session
        self.clock = clock
        self.servoLogs = servoLogs
        self.path = path
        self.filter = filter
    }

    /// A pass that stands.
    package struct Result {
        package var start: PassStart
        package var account: AnalysisAccount
        /// The CPUs of all machines, as evidence numbers them.
        package var lanes: [Lane]
    }

    /// Hands each journey that passes the filter to all readers, in their order.
    ///
    /// Where nobody said which clocks to use, the exact ones that the files state are believed first. All evidence is
    /// weighed only if the events contradict them, so most sessions are read once.
    /// - Parameter witness: keeps what shows the points of the packets that it is there for.
    package func run(
        _ readers: [any JourneyReader], witness: Witness? = nil, progress: Progress = { _, _ in }
    ) throws -> Result {
        let resolution = ClockResolution(session.machines, manifest: session.files.manifest, servoLogs: servoLogs)
        func thorough() throws -> [GuestClock] {
            progress(.findingClocks, 0)
            defer { progress(.findingClocks, nil) }
            return try resolution.thorough(.automatic) { progress(.findingClocks, $0) }
        }
        func stated() throws -> [GuestClock] {
            progress(.findingClocks, 0)
            defer { progress(.findingClocks, nil) }
            return try resolution.resolve(clock) { progress(.findingClocks, $0) }
        }
        var machines = session.machines
        let isAutomatic = clock == .automatic
        let mustBeRight = isAutomatic && !machines.guests.isEmpty && !readers.allSatisfy(\.canForget)
        let clocks = try mustBeRight ? thorough() : stated()
        machines.use(clocks)
        if let result = try follow(
            machines, clocks, readers, witness, isFinal: mustBeRight || !isAutomatic, progress)
        {
            return result
        }
        // What the files say is wrong: the events themselves know better.
        let others = try thorough()
        machines.use(others)
        guard let result = try follow(machines, others, readers, witness, isFinal: true, progress) else {
            preconditionFailure("a pass on the last clocks there are was void")
        }
        return result
    }

    /// - Parameter isFinal: there are no other clocks to try.
    /// - Returns: nil when the events contradict the clocks and those are not final.
    private func follow(
        _ machines: Machines, _ clocks: [GuestClock], _ readers: [any JourneyReader], _ witness: Witness?,
        isFinal: Bool, _ progress: Progress
    ) throws -> Result? {
        let analysis = try Analysis(machines, path: path)
        let measured = session.files.manifest?.measured
        let start = PassStart(
            machines: machines, clocks: clocks, names: analysis.names, followsHost: analysis.followsHost,
            zero: measured?.begin ?? analysis.start)
        for reader in readers { try reader.begin(start) }
        let gate = JourneyGate(filter, measured: measured, start, to: readers)
        progress(.following, 0)
        let account: AnalysisAccount
        do {
            defer { progress(.following, nil) }
            account = try analysis.run(into: gate, witness: witness) { progress(.following, $0) }
        }
        if !isFinal, analysis.doubtsClocks(account) { return nil }
        for reader in readers { try reader.end(account) }
        return Result(start: start, account: account, lanes: analysis.lanes)
    }
}

// Everything that was found of one session, gathered once; reports only arrange it.

package import ClockSync
package import GuestClocks
package import PacketPath
package import Sessions
package import TraceData

/// The result of one analysis, ready to be written.
package struct SessionFindings: Sendable {
    package var files: SessionFiles
    package var machines: [Machine]
    /// The host's own packets were followed, and not its guests'.
    package var followsHost: Bool
    package var account: AnalysisAccount
    package var flows: [Flow]
    package var guestToGuest: [GuestToGuest]
    package var names: NameTable
    package var filter: JourneyFilter
    /// One for each guest, in the order of `machines`.
    package var clocks: [GuestClock]
    /// Packets of each guest on whose way a servo swung, in the order of `clocks`.
    package var inSwings: [Int]
    /// Host time that a person counts from: when the measurement began, or the host's first event.
    package var zero: Nanoseconds
    /// The CPUs of all machines, as evidence numbers them.
    package var lanes: [Lane]

    /// Reads a session.
    /// - Parameters:
    ///   - others: get every journey too.
    ///   - witness: keeps what shows the points of the packets that it is there for.
    package init(
        _ pass: SessionPass, beside others: [any JourneyReader] = [], witness: Witness? = nil,
        progress: SessionPass.Progress = { _, _ in }
    ) throws {
        let breakdown = Breakdown()
        let swings = SwingCount()
        let result = try pass.run([breakdown, swings] + others, witness: witness, progress: progress)
        files = pass.session.files
        filter = pass.filter
        machines = result.start.machines.all
        followsHost = result.start.followsHost
        names = result.start.names
        clocks = result.start.clocks
        account = result.account
        flows = breakdown.sortedFlows
        guestToGuest = breakdown.guestToGuest
        inSwings = swings.packets
        zero = result.start.zero
        lanes = result.lanes
    }

    /// The session's name.
    package var session: String { files.name }

    /// How long the measurement ran: to the host's last event where its end is unknown. Nil when nothing says when it
    /// was.
    package var measuredDuration: Nanoseconds? {
        guard let measured = files.manifest?.measured else { return nil }
        return max(0, (measured.end ?? account.start &+ account.duration) &- measured.begin)
    }

    /// A machine's clock as it was used.
    package struct Clock {
        package var method: String
        /// Host time minus guest time at the session's start, both in ns.
        package var offset: Nanoseconds
        /// How much faster the host's clock runs, in parts per billion.
        package var driftPPB: Double
        package var error: Nanoseconds?
        package var containment: Containment
    }

    package func clock(_ machine: Int) -> Clock {
        let map = machines[machine].maps[0]
        let own = machines[machine].ownConversion ?? machines[0].ownConversion ?? .nanoseconds
        let segment = map.segments[0]
        // The guest's own reading of its raw clock at the start, against what the map makes of it.
        let raw = segment.rawTime(of: account.start)
        let ends = map.segments[map.segments.count - 1].rawTime(of: account.machines[0].lastTime ?? account.start)
        let offset = map.offset(at: raw, own: own)
        let later = map.offset(at: ends, own: own)
        // One offset and one rate: there is no drift, only rounding to whole ns.
        let isConstant = map.segments.count == 1 && own == segment.toNanoseconds && segment.toHost.isConstant
        let span = own.nanoseconds(ends) &- own.nanoseconds(raw)
        return Clock(
            method: map.method.rawValue, offset: offset,
            driftPPB: span > 0 && !isConstant ? Double(later &- offset) / Double(span) * 1e9 : 0,
            error: map.largestErrorBound,
            containment: account.machines[machine].containment)
    }

    /// Names of the kernel's drop reasons, by number.
    package func dropReasons() -> [UInt64: String] {
        for machine in machines {
            let symbols = machine.file.symbols(event: "kfree_skb", field: "reason")
            if !symbols.isEmpty { return symbols }
        }
        return [:]
    }
}

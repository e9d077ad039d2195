// Everything a report says, gathered once; the formats only arrange it.

import ClockSync
package import PacketPath
package import Sessions
package import TraceData

/// The result of one analysis, ready to be written.
package struct AnalysisReport: Sendable {
    package var files: SessionFiles
    package var machines: [Machine]
    /// The host's own packets were followed, and not its guests'.
    package var followsHost: Bool
    package var account: AnalysisAccount
    package var flows: [Flow]
    package var relays: [Relay]
    package var names: NameTable
    package var filter: JourneyFilter
    /// One for each guest, in the order of `machines`.
    package var clocks: [GuestClock]
    /// Packets of each guest on whose way a servo swung, in the order of `clocks`.
    package var inSwings: [Int]

    package init(
        files: SessionFiles, analysis: Analysis, account: AnalysisAccount, breakdown: Breakdown, filter: JourneyFilter,
        clocks: [GuestClock],
        inSwings: [Int] = []
    ) {
        self.files = files
        self.clocks = clocks
        self.inSwings = inSwings
        machines = analysis.machines.all
        followsHost = analysis.followsHost
        names = analysis.names
        self.account = account
        self.filter = filter
        flows = breakdown.sortedFlows
        relays = breakdown.relays
    }

    /// The session's name.
    var session: String { files.name }

    /// How long the measurement ran: to the host's last event where its end is unknown. Nil when nothing says when it was.
    var measuredDuration: Nanoseconds? {
        guard let measured = files.manifest?.measured else { return nil }
        return max(0, (measured.end ?? account.start &+ account.duration) &- measured.begin)
    }

    /// A machine's clock as it was used.
    struct Clock {
        var method: String
        /// Host time minus guest time at the session's start, both in ns.
        var offset: Nanoseconds
        /// How much faster the host's clock runs, in parts per billion.
        var driftPPB: Double
        var error: Nanoseconds?
        var containment: Containment
    }

    func clock(_ machine: Int) -> Clock {
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
            driftPPB: span > 0 && !isConstant ? Double(later &- offset) / Double(span) * 1e9 : 0, error: map.largestErrorBound,
            containment: account.machines[machine].containment)
    }

    /// Names of the kernel's drop reasons, by number.
    func dropReasons() -> [UInt64: String] {
        for machine in machines {
            let symbols = machine.file.symbols(event: "kfree_skb", field: "reason")
            if !symbols.isEmpty { return symbols }
        }
        return [:]
    }
}

// What is known of the guests' clocks, evidence by evidence.

package import ClockSync
package import GuestClocks
import PacketPath
import TraceData

/// The result of looking at every guest's clock, ready to be written.
package struct ClockFindings: Sendable {
    package let session: String
    package let host: Machine
    package let guests: [Guest]

    package struct Guest: Sendable {
        package let machine: Machine
        package let clock: GuestClock
        /// In the order of the candidates.
        package let evidence: [Evidence]
    }

    /// One kind of evidence, in ns.
    package struct Evidence: Sendable {
        package var candidate: ClockCandidate
        package var isChosen: Bool
        /// Host time minus guest time at the first common event, ns.
        package var offset: Nanoseconds?
        /// How much faster the host's clock runs, in parts per billion.
        package var driftPPB: Double?
    }

    /// - Parameter clocks: one for each guest, in order.
    package init(session: String, _ machines: Machines, _ clocks: [GuestClock]) {
        self.session = session
        let host = machines.host
        self.host = host
        guests = zip(machines.guests, clocks).map { machine, clock in
            let own = machine.ownConversion ?? host.ownConversion ?? .nanoseconds
            return Guest(machine: machine, clock: clock, evidence: Self.evidence(clock, own))
        }
    }

    private static func evidence(_ clock: GuestClock, _ own: CycleConversion) -> [Evidence] {
        clock.candidates.enumerated().map { index, candidate in
            var evidence = Evidence(candidate: candidate, isChosen: index == clock.chosen)
            if let times = clock.times {
                let map = candidate.maps[0]
                let first = map.offset(at: times.lowerBound, own: own)
                evidence.offset = first
                let span = own.nanoseconds(times.upperBound) &- own.nanoseconds(times.lowerBound)
                let last = map.offset(at: times.upperBound, own: own)
                if span > 0 { evidence.driftPPB = Double(last &- first) / Double(span) * 1e9 }
            }
            return evidence
        }
    }
}

// What shows that a packet was somewhere: an event that another program reads in the same file.

package import ClockSync
import GuestClocks
package import PacketPath
import TraceData

/// A packet at one of its points.
package struct Passage: Sendable {
    package var point: Point
    /// Host time.
    package var time: Nanoseconds
    /// Name of the machine whose event shows it.
    package var machine: String
    /// Nil where the event was read out of a thread's history, which does not tell.
    package var cpu: Int?
    /// The thread that was running, or that was woken or got its CPU, by number and name; nil where it is not known.
    package var thread: (id: Int32, name: String?)?
    /// The event, by name; several where the point does not tell which of those that the file knows it was.
    package var events: [String]

    static func all(
        of flow: Flow, _ times: PointTimes, _ evidence: JourneyEvidence, _ findings: SessionFindings
    ) -> [Passage] {
        let (lanes, machines, ofHost) = (findings.lanes, findings.machines, findings.followsHost)
        return flow.path.description.rules(flow.direction).filter { times.has($0.point) }.map { rule in
            let found = evidence[rule.point]
            let lane = lanes.indices.contains(Int(found.lane)) ? lanes[Int(found.lane)] : nil
            let machine = machines[lane?.machine ?? (rule.role == .host ? 0 : flow.machine)]
            let thread = found.thread >= 0 ? found.thread : nil
            let events =
                found.kind.map { $0.queries(rule.role, ofHost: ofHost).map(\.event) } ?? rule.events(ofHost: ofHost)
            let known = machine.file.formats.map(\.name)
            return Passage(
                point: rule.point, time: times[rule.point], machine: machine.name, cpu: lane?.cpu,
                thread: thread.map { ($0, $0 == 0 ? "<idle>" : machine.file.commandLines[$0]) },
                events: events.filter { known.contains($0) })
        }
    }
}

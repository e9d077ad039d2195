// What each event is worth: traces/tap-steady analyzed without it. The table in Documentation/events.md is what this
// finds.

import ClockSync
import Foundation
import GuestClocks
import PacketPath
import TestSupport
import Testing
import TraceData

@Suite struct OptionalEventTests {
    private final class Journeys: JourneySink {
        var all: [Journey] = []
        func take(_ journey: borrowing Journey) { all.append(copy journey) }
    }

    private static let machines: Machines? = {
        let folder = Checkout.recording("tap-steady")
        guard
            let files = try? ["host", "host-g3"].map({
                MachineFile(name: $0, file: try TraceFile(path: "\(folder)/\($0).dat"))
            }),
            var machines = try? Machines(files),
            let clocks = try? ClockResolution(machines, manifest: nil).resolve(.automatic)
        else { return nil }
        machines.use(clocks)
        return machines
    }()

    private static func journeys(without events: [MachineRole: Set<String>] = [:]) throws -> [Journey] {
        let sink = Journeys()
        _ = try Analysis(try #require(machines), leavingOut: events).run(into: sink)
        return sink.all
    }

    /// Points that are one packet's own.
    private static let own: [Point] = [
        .hostIngress, .hostEgress, .vhostCopy, .guestIngress, .guestRead, .guestSend, .guestEgress, .nicXmit,
    ]

    /// The events of tap-steady that the path tap is made of, or that the books are kept by.
    private static func events() throws -> [(role: MachineRole, event: String)] {
        let machines = try #require(Self.machines)
        return machines.all.flatMap { machine in
            let known = Set(machine.file.formats.map(\.name))
            return MarkKind.selection(machine.role, for: [.tap]).queries.map(\.event)
                // Calls that this application does not make, and what another architecture has.
                .filter {
                    known.contains($0) && !$0.hasPrefix("sys_") && !$0.hasPrefix("vgic_") && $0 != "ipi_raise"
                        || $0.hasSuffix("sendto")
                }
                .map { (machine.role, $0) }
        }
    }

    @Test func `without an event a packet's own points are its own all the same, and the table says what is absent`()
        throws
    {
        let whole = try Self.journeys()
        func key(_ journey: Journey) -> Nanoseconds {
            journey.times[journey.direction == .receive ? .guestIngress : .guestEgress]
        }
        var known: [Nanoseconds: Journey] = [:]
        for journey in whole where key(journey) != PointTimes.absent { known[key(journey)] = journey }
        func complete(_ journeys: [Journey], _ direction: Direction) -> String {
            let mine = journeys.filter { $0.direction == direction }
            return "\(mine.count { $0.outcome == .complete }) of \(mine.count)"
        }
        func points(_ journeys: [Journey]) -> Set<Point> {
            Set(Point.allCases.filter { point in journeys.contains { $0.outcome == .complete && $0.times.has(point) } })
        }
        let all = points(whole)
        var table =
            "| event | machine | received, complete | sent, complete | points that no packet has |\n|---|---|---|---|---|\n"
        table += "| (all of them) | | \(complete(whole, .receive)) | \(complete(whole, .transmit)) | |\n"
        for (role, event) in try Self.events() {
            let found = try Self.journeys(without: [role: [event]])
            for journey in found where journey.outcome == .complete {
                // Without its event nothing tells of that time; the others are what they were.
                guard let same = known[key(journey)] else { continue }
                for point in Self.own where journey.times.has(point) && same.times.has(point) {
                    // The stack's receipt takes the place of the driver's.
                    if point == .hostIngress, event == "napi_gro_receive_entry" { continue }
                    #expect(
                        journey.times[point] == same.times[point],
                        "\(point.name) without \(event) of the \(role.rawValue)")
                }
            }
            let absent = all.subtracting(points(found)).sorted { $0.rawValue < $1.rawValue }.map(\.name)
            let rows = [
                "`\(event)`", role.rawValue, complete(found, .receive), complete(found, .transmit),
                absent.count == all.count ? "all" : absent.joined(separator: ", "),
            ]
            table += "| " + rows.joined(separator: " | ") + " |\n"
        }
        #expect(try DocumentedTable.fault(in: "events.md", by: "OptionalEventTests", table) == nil)
    }
}

// From one guest to another on the same host: the sender's way out and the receiver's way in are one.

import ClockSync
package import PacketPath
package import Statistics

/// Packets from one guest's device to another's, from application to application.
package struct GuestToGuest: Sendable {
    /// Where they come from, and where they go.
    package let from: Flow.End
    package let to: Flow.End
    /// The path of the receiver's device.
    package let path: PathKind
    /// Packets whose both halves were found.
    package var seen = 0
    package var complete = 0
    /// What complete ones took.
    private var times: BySendCall<Tally>

    /// The times of packets whose ways begin with the same point.
    private struct Tally: CompleteTimes {
        var endToEnd = Samples()
        var stages: [(machine: Int, samples: Flow.StageSamples)]
        var count: Int { endToEnd.count }

        mutating func add(_ sent: borrowing Journey, _ received: borrowing Journey, _ waypoints: Way) {
            var tiles = StageTiles()
            let (sending, receiving) = (sent.host, received.host)
            let totals = (sending: sending.totals, receiving: receiving.totals)
            tiles.follow(sent, waypoints.transmit) { stages[$0.stage].samples.add($0, sending, totals.sending) }
            tiles.follow(received, waypoints.receive) { stages[$0.stage].samples.add($0, receiving, totals.receiving) }
            endToEnd.add(tiles.total)
        }
    }

    /// The sender's part of the way, and the receiver's.
    private typealias Way = (transmit: [Waypoint], receive: [Waypoint])
    private let waypoints: Way

    fileprivate init(_ sent: borrowing Journey, _ received: borrowing Journey, _ paths: borrowing PathTable) {
        from = Flow.End(machine: sent.machine, device: sent.device, hostDevice: sent.hostDevice)
        to = Flow.End(machine: received.machine, device: received.device, hostDevice: received.hostDevice)
        path = received.path
        let transmit = paths[sent.path, .transmit]
        let receive = paths[received.path, .receive]
        let out = transmit.prefix { $0.point != .hostEgress }.count + 1
        let into = receive.prefix { $0.point != .hostEgress }.count + 1
        waypoints = (Array(transmit.prefix(out)), Array(receive.dropFirst(into)))
        let sending = sent.path.description.transmit.prefix(out).compactMap(\.stage)
        let receiving = received.path.description.receive.dropFirst(into).compactMap(\.stage)
        let (sender, receiver) = (sent.machine, received.machine)
        times = BySendCall(
            Tally(
                stages: sending.map { (sender, Flow.StageSamples(stage: $0)) }
                    + receiving.map { (receiver, Flow.StageSamples(stage: $0)) }))
    }

    fileprivate mutating func add(_ sent: borrowing Journey, _ received: borrowing Journey) {
        seen += 1
        guard sent.outcome == .complete, received.outcome == .complete else { return }
        complete += 1
        if sent.isWithoutCall {
            times.uncalled.add(sent, received, waypoints)
        } else {
            times.called.add(sent, received, waypoints)
        }
    }

    /// Complete packets whose send call is not known: their way begins with the driver.
    package var withoutCall: Int { times.withoutCall }
    package var endToEnd: Samples { times.measured.endToEnd }
    /// The sender's stages up to `host.egress`, then the receiver's from there on.
    package var stages: [(machine: Int, samples: Flow.StageSamples)] { times.measured.stages }

    /// A stage's part of the time of all complete packets together, 0 to 1.
    package func share(_ stage: Flow.StageSamples) -> Double {
        endToEnd.total == 0 ? 0 : Double(stage.samples.total) / Double(endToEnd.total)
    }
}

extension Flow {
    /// One end of a way between guests.
    package struct End: Equatable, Sendable {
        package var machine: Int
        package var device: UInt16
        package var hostDevice: UInt16
    }
}

/// Brings the two halves of packets between guests together, whichever ends first.
struct GuestToGuestPairing {
    private var found: [GuestToGuest] = []
    private var waiting: [UInt32: Journey] = [:]
    private let paths = PathTable()

    /// So many halves wait at the most. One whose other half never comes was no guest's after all.
    private static let mostWaiting = 8192

    mutating func take(_ journey: borrowing Journey) {
        guard journey.relay != 0 else { return }
        guard let other = waiting.removeValue(forKey: journey.relay) else {
            if waiting.count == Self.mostWaiting, let oldest = waiting.keys.min() { waiting[oldest] = nil }
            waiting[journey.relay] = copy journey
            return
        }
        guard journey.direction != other.direction else { return }
        if journey.direction == .receive { add(other, journey) } else { add(journey, other) }
    }

    private mutating func add(_ sent: borrowing Journey, _ received: borrowing Journey) {
        let from = Flow.End(machine: sent.machine, device: sent.device, hostDevice: sent.hostDevice)
        let to = Flow.End(machine: received.machine, device: received.device, hostDevice: received.hostDevice)
        let path = received.path
        let index = found.firstIndex { $0.from == from && $0.to == to && $0.path == path } ?? found.count
        if index == found.count { found.append(GuestToGuest(sent, received, paths)) }
        found[index].add(sent, received)
    }

    /// In the order of reports.
    var sorted: [GuestToGuest] { found.sorted { ($0.from.machine, $0.to.machine) < ($1.from.machine, $1.to.machine) } }
}

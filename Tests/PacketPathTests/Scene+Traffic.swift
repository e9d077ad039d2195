// Both directions in the states that make a difference, for tests that cut or tear the recording anywhere.

import ClockSync
import PacketPath

extension Scene {
    /// A round of traffic and the times it takes.
    struct Round {
        var receive: [Packet]
        var transmit: [Packet]
        var times: Range<Nanoseconds>
        var all: [Packet] { receive + transmit }
    }

    /// One packet each way, with everything asleep before: what it takes to find order and topology.
    mutating func plainRound() -> Round {
        let start = now
        let (received, sent) = (packets(1), packets(1))
        receive(received)
        transmit(sent)
        return Round(receive: received, transmit: sent, times: start..<now)
    }

    /// Batches each way, and a second batch on the ring before the guest has polled the first one.
    mutating func busyRound() -> Round {
        let start = now
        let first = packets(3)
        let second = packets(2)
        let sent = packets(3)
        prepare(.inGuest)
        bringIn(first)
        first.stamp(.vhostRun, vhostRuns())
        for packet in first { vhostCopies(packet) }
        signal(first, .inGuest)
        bringIn(second, waking: false)
        for packet in second { vhostCopies(packet) }
        second.stamp(.irqInject, vhostSignals())
        vhostSleeps()
        enter(first + second, .inGuest)
        (first + second).stamp(.guestIRQ, guestInterrupt())
        guestPolls(first + second)
        (first + second).stamp(.guestRun, readerRuns())
        for packet in first + second { reads(packet) }
        sends(sent[0])
        sends(sent[1], kicking: false)
        let run = vhostRuns()
        [sent[0], sent[1]].stamp(.vhostRun, run)
        vhostWrites(sent[0])
        nicSends(sent[0])
        sends(sent[2], kicking: false)
        for packet in sent[1...] {
            vhostWrites(packet)
            nicSends(packet)
        }
        vhostSleeps()
        for packet in sent { nicFrees(packet) }
        restSender()
        return Round(receive: first + second, transmit: sent, times: start..<now)
    }
}

extension Found {
    /// Complete journeys that are no packet's: some point is another packet's. Each with the truth.
    func falsehoods(among packets: [Packet]) -> [String] { complaints(packets) { $0.matches($1) } }

    /// Complete journeys that claim an interrupt, a wake-up, a switch or a call that was not theirs.
    func misattributions(among packets: [Packet]) -> [String] {
        complaints(packets) { !$0.matches($1) || $0.agrees($1) }
    }

    private func complaints(_ packets: [Packet], unless isFine: (Packet, Points) -> Bool) -> [String] {
        var owners: [Nanoseconds: Packet] = [:]
        for packet in packets {
            for point in Packet.identity { if let time = packet.points[point] { owners[time] = packet } }
        }
        return journeys.filter { $0.outcome == .complete }.compactMap { journey in
            let points = journey.points
            let owner = Packet.identity.lazy.compactMap { points[$0] }.compactMap { owners[$0] }.first
            if let owner, isFine(owner, points) { return nil }
            return "\(points), in truth \(owner?.points ?? Points())"
        }
    }

    /// What is wrong with it, in words: false points, and packets that should be whole and are not.
    func problems(among packets: [Packet], whole: [Packet]) -> [String] {
        falsehoods(among: packets) + misattributions(among: packets)
            + whole.filter { self[$0]?.outcome != .complete || self[$0]?.points != $0.points }.map {
                "not whole: \($0.points)"
            }
    }

    func seen(_ direction: Direction) -> Int { journeys.count { $0.direction == direction } }

    /// Whether every one of them is complete, with all that happened to it.
    func isWhole(_ packets: [Packet]) -> Bool {
        packets.allSatisfy { self[$0]?.outcome == .complete && self[$0]?.points == $0.points }
    }
}

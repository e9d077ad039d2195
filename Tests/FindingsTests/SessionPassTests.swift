// Passes over a session: who is handed what, and what becomes of a pass that the events contradict.

import ClockSync
import Findings
import Foundation
import GuestClocks
import PacketPath
import TestSupport
import Testing
import TraceData

@Suite struct SessionPassTests {
    /// Notes what it is told.
    private final class Witness: JourneyReader {
        let canForget: Bool
        private(set) var methods: [ClockMap.Method] = []
        private(set) var taken = 0
        private(set) var ends = 0

        init(canForget: Bool = true) { self.canForget = canForget }

        func begin(_ start: PassStart) {
            methods.append(start.clocks[0].candidate.method)
            taken = 0
        }

        func take(_ journey: borrowing Journey) { taken += 1 }

        func end(_ account: AnalysisAccount) { ends += 1 }
    }

    /// tap-steady with a guest whose TIME_SHIFT is wrong by 2 ms.
    private func contradicted(_ body: (Session) throws -> Void) throws {
        let folder = FileManager.default.temporaryDirectory.appending(path: "virtlat-pass-\(UUID().uuidString)").path
        try FileManager.default.createDirectory(atPath: folder, withIntermediateDirectories: true)
        defer { try? FileManager.default.removeItem(atPath: folder) }
        let recording = Checkout.recording("tap-steady")
        try FileManager.default.copyItem(atPath: "\(recording)/host.dat", toPath: "\(folder)/host.dat")
        var guest = try Data(contentsOf: URL(filePath: "\(recording)/host-g3.dat"))
        let shift = try #require(
            try TraceFile(path: "\(recording)/host-g3.dat").options.timeShifts.first?.samples.first)
        func bytes(_ offset: UInt64) -> Data { withUnsafeBytes(of: offset.littleEndian) { Data($0) } }
        let place = try #require(guest.range(of: bytes(shift.offset)))
        guest.replaceSubrange(place, with: bytes(shift.offset &+ 5_192_187))
        try guest.write(to: URL(filePath: "\(folder)/host-g3.dat"))
        try body(try Session([folder]))
    }

    @Test func `a pass on clocks that hold is made once`() throws {
        let reader = Witness()
        let session = try Session([Checkout.recording("tap-steady")])
        let result = try SessionPass(session).run([reader])
        #expect(reader.methods == [.kvmTSCOffset] && reader.ends == 1)
        #expect(reader.taken == 602)
        #expect(!result.start.followsHost && result.account.machines.count == 2)
    }

    @Test func `a pass that the events contradict is made again, and only the second one is kept`() throws {
        try contradicted { session in
            let readers = [Witness(), Witness()]
            let findings = try SessionFindings(SessionPass(session), beside: readers)
            for reader in readers {
                #expect(reader.methods == [.kvmTSCOffset, .containment])
                #expect(reader.ends == 1)
                #expect(reader.taken == findings.flows.reduce(0) { $0 + $1.seen })
            }
            #expect(findings.clock(1).method == ClockMap.Method.containment.rawValue)
            #expect(findings.notes.contains { if case .evidenceLeftOut("g3", _) = $0 { true } else { false } })
        }
    }

    @Test func `a reader that can't forget sees one pass only, on clocks that were held against the events before`()
        throws
    {
        try contradicted { session in
            let (final, other) = (Witness(canForget: false), Witness())
            _ = try SessionPass(session).run([other, final])
            #expect(final.methods == [.containment] && other.methods == [.containment])
            #expect(final.ends == 1 && final.taken == other.taken)
        }
    }

    @Test func `clocks that a person chose are used, whatever the events say`() throws {
        try contradicted { session in
            let reader = Witness()
            let result = try SessionPass(session, clock: .file).run([reader])
            #expect(reader.methods == [.kvmTSCOffset] && reader.ends == 1)
            #expect(result.account.machines[1].containment.contradictsMap)
        }
    }

    @Test func `readers are handed what the filter lets through, counted from where a person counts`() throws {
        let session = try Session([Checkout.recording("tap-steady")])
        func taken(_ filter: JourneyFilter) throws -> Int {
            let reader = Witness()
            _ = try SessionPass(session, filter: filter).run([reader])
            return reader.taken
        }
        #expect(try taken(JourneyFilter(direction: .receive)) == 301)
        #expect(try taken(JourneyFilter(guest: "g4")) == 0)
        let second: Nanoseconds = 1_000_000_000
        let (early, late) = try (taken(JourneyFilter(until: second)), taken(JourneyFilter(since: second)))
        #expect(early > 0 && late > 0 && early + late == 602)
    }

    @Test func `progress ends each kind of work that it began`() throws {
        var works: [(SessionPass.Work, isOver: Bool)] = []
        try contradicted { session in
            _ = try SessionPass(session).run([]) { works.append(($0, $1 == nil)) }
        }
        #expect(works.filter(\.isOver).map(\.0) == [.findingClocks, .following, .findingClocks, .following])
        #expect(works.last?.isOver == true)
    }
}

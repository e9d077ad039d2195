// Path host, live: every packet, however it is sent and read, is held against the application's own log.

import Foundation
import Testing

extension RecordTests {
    @Suite struct NativeTests {
        /// Which packet was read can't always be told there: several threads send or read at once, or no event tells
        /// of the reading.
        private static let mayBeUnknown: Set = [
            "two-senders", "two-lengths", "two-threads", "two-processes", "ping", "tcp-splice-reader",
        ]

        @Test func `no packet is wrong, missing, or incomplete for a false reason, however it is sent and read`()
            async throws
        {
            let recording = try await recorded { try await $0.recordAll() }
            defer { recording.remove() }
            let run = try await recording.check()
            print(run.output)
            let verdicts = NativeVerdict.table(run.output)
            #expect(run.status == 0, "\(run.output)")
            #expect(verdicts.count >= 60, "kinds are missing")
            for verdict in verdicts where !Self.mayBeUnknown.contains(verdict.kind) {
                #expect(
                    verdict.unknown * 5 <= verdict.seen,
                    "\(verdict.kind): \(verdict.unknown) of \(verdict.seen) are not told")
            }
            try await expectSensitive(recording)
        }

        /// What is there before a recording has done things that nobody saw.
        @Test(arguments: [
            "recv", "spin", "spin-burst", "poll-burst-8", "epoll-edge", "uring-sqpoll-send", "gso", "two-processes",
            "tcp-request",
        ])
        func `sockets and threads that are older than the recording make no packet wrong`(kind: String) async throws {
            let recording = try await recorded { try await $0.record(early: kind) }
            defer { recording.remove() }
            let run = try await recording.check()
            #expect(run.status == 0, "\(run.output)")
        }

        /// A machine that is busy with other things may lose events; what happened then is no matter of this test.
        private func recorded(_ body: (NativeRecording) async throws -> Void) async throws -> NativeRecording {
            for attempt in 1...3 {
                let recording = try NativeRecording()
                do {
                    try await body(recording)
                    if attempt == 3 { return recording }
                    let run = try await recording.check()
                    if !run.output.contains("EVENTS WERE LOST") { return recording }
                } catch {
                    recording.remove()
                    throw error
                }
                print("events were lost, once more")
                recording.remove()
            }
            throw CancellationError()
        }

        // MARK: The check itself

        /// The same table with one thing amiss does not hold.
        private func expectSensitive(_ recording: NativeRecording) async throws {
            let lines = String(decoding: try Data(contentsOf: URL(fileURLWithPath: recording.packets)), as: UTF8.self)
                .split(separator: "\n").map { $0.split(separator: ",", omittingEmptySubsequences: false) }
            let header = try #require(lines.first)
            let column = { (name: Substring) in try #require(header.firstIndex(of: name)) }
            let (status, reason) = (try column("status"), try column("reason"))
            let rows = Array(lines.dropFirst())
            // The first device has packets of every kind.
            let isComplete = rows.indices.filter { rows[$0][status] == "complete" && $0 % 50 == 0 }
            #expect(isComplete.count > 20)

            let gone = rows.indices.filter { $0 % 50 != 0 }.map { rows[$0] }
            #expect(try await verdicts(recording, header, gone).contains { $0.vanished > 0 })

            let twice = rows.indices.flatMap { $0 % 50 == 0 ? [rows[$0], rows[$0]] : [rows[$0]] }
            #expect(try await verdicts(recording, header, twice).contains { $0.wrong > 0 })

            var edged = rows
            for index in isComplete {
                edged[index][status] = "incomplete"
                edged[index][reason] = "trace-edge"
            }
            #expect(try await verdicts(recording, header, edged).contains { $0.falseReasons > 0 })

            // Each read goes to the packet before.
            let (device, ingress, read) = (try column("device"), try column("host.ingress"), try column("app.read"))
            var shifted = rows
            let readers = Dictionary(grouping: rows.indices.filter { !rows[$0][read].isEmpty }) { rows[$0][device] }
            for indices in readers.values {
                let inOrder = indices.sorted { (Int64(rows[$0][ingress]) ?? 0) < (Int64(rows[$1][ingress]) ?? 0) }
                for (index, next) in zip(inOrder, inOrder.dropFirst()) { shifted[index][read] = rows[next][read] }
            }
            let found = try await verdicts(recording, header, shifted)
            // Where one call returns several packets, the next one's time is as good as its own.
            let unnoticed = found.filter { $0.wrong == 0 }.map(\.kind)
            #expect(unnoticed.count * 4 < found.count, "\(unnoticed)")
        }

        private func verdicts(
            _ recording: NativeRecording, _ header: [Substring], _ rows: [[Substring]]
        ) async throws -> [NativeVerdict] {
            let text = ([header] + rows).map { $0.joined(separator: ",") }.joined(separator: "\n") + "\n"
            let path = try recording.session.folder.write(text.utf8, to: "damaged.csv")
            let run = try await recording.check(packets: path)
            #expect(run.status == 3)
            return NativeVerdict.table(
                String(run.output.split(separator: "\n").drop { !$0.hasPrefix("kind") }.joined(separator: "\n")))
        }
    }
}

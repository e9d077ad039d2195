// native-traffic of Tests/Native: what it sends and reads is the truth that a recording of it is held against.

import Foundation
import Testing

enum NativeTraffic {
    /// The executable beside the running tests; `NATIVE_TRAFFIC` names another one.
    static let executable: String = {
        if let given = ProcessInfo.processInfo.environment["NATIVE_TRAFFIC"], !given.isEmpty { return given }
        let tests =
            (try? FileManager.default.destinationOfSymbolicLink(atPath: "/proc/self/exe")) ?? CommandLine.arguments[0]
        return URL(fileURLWithPath: tests).deletingLastPathComponent().appendingPathComponent("native-traffic").path
    }()

    /// A whole run takes some seconds; a debug build on a busy machine takes longer.
    static let patience: Duration = .seconds(120)
    /// So that application and trace have one clock.
    static let clock = ["--trace-clock", "mono"]
}

/// A recording of native traffic, and what virtlat says of it.
struct NativeRecording {
    let session: RecordedSession
    var log: String { session.folder.path("log") }
    var packets: String { session.folder.path("packets.csv") }
    var report: String { session.folder.path("report.json") }

    init() throws { session = try RecordedSession() }

    func remove() { session.remove() }

    /// All of it while recording: namespaces, sockets and threads come and go.
    func recordAll() async throws {
        let command = try session.start(NativeTraffic.clock + ["--", NativeTraffic.executable, "run", "--log", log])
        let run = try await command.end(within: NativeTraffic.patience)
        try #require(run.status == 0, "\(run.errors)\(run.output)")
        for line in run.output.split(separator: "\n") where line.contains("LEFT OUT") {
            print("NATIVE TRAFFIC \(line)")
        }
        try await analyze()
    }

    /// A kind whose sockets, readers and senders are older than the recording.
    func record(early kind: String) async throws {
        let start = session.folder.path("start")
        let traffic = try RunningCommand([NativeTraffic.executable, "run", "--log", log, "--start", start, kind])
        try await traffic.wait(for: "waiting for")
        let recorder = try session.start(NativeTraffic.clock)
        try await recorder.wait(for: "virtlat: recording")
        try session.folder.write([], to: "start")
        let run = try await traffic.end(within: NativeTraffic.patience)
        recorder.send(SIGINT)
        try #require(try await recorder.end().status == 0)
        try #require(run.status == 0, "\(run.errors)\(run.output)")
        try await analyze()
    }

    private func analyze() async throws {
        let run = try await Command.virtlat("analyze", session.path, "--format", "json", "--packets", packets)
        try #require(run.status == 0, "\(run.errors)")
        try session.folder.write(run.output.utf8, to: "report.json")
    }

    /// What native-traffic check finds: exit status 0 when all of it holds, 3 when something is wrong.
    func check(packets: String? = nil) async throws -> Run {
        try await Command.run([
            NativeTraffic.executable, "check", "--log", log, "--packets", packets ?? self.packets, "--report", report,
        ])
    }
}

/// One row of what native-traffic check prints.
struct NativeVerdict {
    var kind: String
    var seen: Int
    /// Neither complete nor told: ambiguous or not-recorded.
    var unknown: Int
    var wrong: Int
    var vanished: Int
    var falseReasons: Int
    var withoutSend: Int

    var faults: Int { wrong + vanished + falseReasons + withoutSend }

    static func table(_ text: String) -> [NativeVerdict] {
        text.split(separator: "\n", omittingEmptySubsequences: false).prefix { !$0.isEmpty }.compactMap { line in
            let words = line.split(separator: " ")
            let numbers = words.dropFirst().prefix(8).compactMap { Int($0) }
            guard numbers.count == 8 else { return nil }
            return NativeVerdict(
                kind: String(words[0]), seen: numbers[0], unknown: numbers[2] + numbers[3], wrong: numbers[4],
                vanished: numbers[5],
                falseReasons: numbers[6], withoutSend: numbers[7])
        }
    }
}

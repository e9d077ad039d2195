// A guest that lies: whatever its agent sends, the recorder takes no more than the budget, and the host's own part is
// whole. Needs root and tracefs, since it records.

import NIOCore
import NIOPosix

#if DEBUG
    import Glibc
    import LinuxSystem
    @testable import Recording
    import Sessions
    import Synchronization
    import Testing
    import TestSupport
    import TraceData

    // One process has one instance: these come after each other.
    extension AgentSessionTests {
        @Suite struct HostileAgentTests {
            enum Lie: String, CaseIterable, Sendable {
                /// Trace data without end, from the moment it is asked for or before.
                case flood, early, liveFlood
                /// What its trace says of itself, without end.
                case sections, emptySections
                /// Data of CPUs that it has not, and in pieces that are none.
                case wrongCPU, pieces
                /// Answers nobody asked for.
                case answers
                /// Formats that libtraceevent would choke on.
                case deep, long
            }

            private static let budget = 4 << 20
            private static let page = 4096

            @Test(arguments: Lie.allCases)
            func `a guest that lies takes no more than its budget, and the host is recorded whole`(lie: Lie)
                async throws
            {
                let folder = temporaryPath("hostile")
                defer { Self.remove(folder) }
                let keyPath = temporaryPath("key")
                try PreSharedKey.make(file: keyPath)
                defer { unlink(keyPath) }
                let agent = try await HostileAgent(lie, key: try PreSharedKey(file: keyPath))
                var plan = RecordingPlan(
                    folder: folder,
                    guests: [GuestTarget(name: "evil", address: .tcp(host: "127.0.0.1", port: agent.port))],
                    recorder: "virtlat test")
                plan.program = try BuiltProgram.path()
                plan.key = try PreSharedKey(file: keyPath)
                plan.duration = 300_000_000
                plan.bufferKiB = 4096
                plan.transfer = lie == .liveFlood ? .live : .after
                plan.guestBudget.data = Self.budget
                plan.guestBudget.sections = Self.budget
                let begin = monotonicNanoseconds()
                let news = Mutex<[String]>([])
                let manifest = try await Recorder(plan, stop: StopRequest()) { item in
                    if case .warning(let text) = item { news.withLock { $0.append(text) } }
                }.run()
                try await agent.end()
                #expect(monotonicNanoseconds() - begin < 20_000_000_000)

                // The host's part is whole, and nothing is left behind.
                let host = try TraceFile(path: folder + "/host.dat")
                #expect(host.dataBytes > 0 && manifest.machines[0].disturbance.allEvents ?? 0 > 0)
                #expect(manifest.machines[0].lostEvents == 0)
                #expect(InstanceName.own.map { Folder.exists("/sys/kernel/tracing/instances/" + $0.text) } == false)

                // Not all is there, and the guest's name is said.
                #expect(manifest.outcome == .cutOff)
                #expect(manifest.faults.contains { $0.contains("evil") }, "\(manifest.faults)")
                #expect(news.withLock { $0.contains { $0.contains("evil") } })

                // What it was listened to, and what of it is kept: what sockets and TLS hold comes on top.
                #expect(agent.sent < 2 * Self.budget + 16 << 20, "\(agent.sent) bytes were taken")
                let kept = try Folder.names(in: folder).reduce(0) { $0 + (Self.size(folder + "/" + $1)) }
                #expect(kept < Self.size(folder + "/host.dat") + 2 * Self.budget)
                let wantsFault: String? =
                    switch lie {
                    case .flood, .liveFlood: "--guest-data"
                    case .sections, .emptySections: "--guest-memory"
                    case .early: "data came out of turn"
                    case .wrongCPU: "data of CPU 7"
                    case .pieces: "no whole sub-buffers"
                    case .answers: "flood of messages"
                    case .deep, .long: nil
                    }
                if let wantsFault {
                    #expect(manifest.faults.contains { $0.contains(wantsFault) }, "\(manifest.faults)")
                }
            }

            private static func size(_ path: String) -> Int {
                var status = stat()
                return unsafe stat(path, &status) == 0 ? Int(status.st_size) : 0
            }

            private static func remove(_ folder: String) {
                for name in (try? Folder.names(in: folder)) ?? [] { unsafe unlink(folder + "/" + name) }
                unsafe rmdir(folder)
            }
        }
    }
#endif

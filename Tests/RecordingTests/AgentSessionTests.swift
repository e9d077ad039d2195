// What an agent does for whoever speaks out of turn: nothing. Needs root and tracefs, since it asks the kernel who it
// is.

import NIOCore
import NIOEmbedded

#if DEBUG
    import Glibc
    import LinuxSystem
    @testable import Recording
    import RecordingTurns
    import Testing

    @Suite(
        .serialized, .recordsAlone,
        .enabled(
            if: geteuid() == 0 && Folder.exists("/sys/kernel/tracing/instances"),
            "NOT TESTED: needs root and tracefs at /sys/kernel/tracing"))
    struct AgentSessionTests {
        /// An agent's session, and the recorder that talks to it.
        private final class Recorder {
            let channel = NIOAsyncTestingChannel()
            private let session: Task<Void, any Error>

            init() async throws {
                let channel = channel
                let messages = try await channel.testingEventLoop.executeInContext { try MessageChannel(on: channel) }
                try await channel.connect(to: SocketAddress(ipAddress: "127.0.0.1", port: 1)).get()
                session = Task {
                    var session = AgentSession(messages, spoolFolder: nil)
                    do { try await session.run() } catch {
                        // Whoever still waits for an answer gets none.
                        try? await messages.channel.close().get()
                        throw error
                    }
                }
                #expect(try await answer().name == "welcome")
            }

            func answer() async throws -> Message {
                var bytes = try await channel.waitForOutboundWrite(as: ByteBuffer.self)
                bytes.moveReaderIndex(forwardBy: 4)
                return try Message(reading: bytes)
            }

            func send(_ message: Message) async throws {
                let bytes = SampleMessages.bytes(message)
                try await channel.writeInbound(
                    ByteBuffer(bytes: withUnsafeBytes(of: UInt32(bytes.count).bigEndian) { Array($0) } + bytes))
            }

            func ask(_ message: Message) async throws -> Message {
                try await send(message)
                return try await answer()
            }

            /// How the session ended.
            func end() async -> (any Error)? {
                try? await channel.close().get()
                do {
                    try await session.value
                    return nil
                } catch { return error }
            }

            static var instances: [String] {
                ((try? Folder.names(in: "/sys/kernel/tracing/instances")) ?? []).filter { $0 == InstanceName.own?.text }
            }
        }

        private static func preparation(
            events: [String] = ["sched:sched_switch"], filter: String = "", clock: String = "mono_raw",
            bufferKiB: UInt32 = 64,
            interval: UInt32 = 0
        ) -> Message {
            .prepare(
                Message.Preparation(
                    clock: clock, bufferKiB: bufferKiB, isLive: false,
                    events: events.map { .init(name: $0, filter: filter) },
                    crossTimestampMilliseconds: interval))
        }

        @Test(arguments: ["start", "probe", "stop", "collect", "hello", "welcome", "data", "ended", "refused"])
        func `a request out of turn ends the session`(name: String) async throws {
            let recorder = try await Recorder()
            let request = try #require(SampleMessages.all.first { $0.name == name })
            #expect(try await recorder.ask(request) == .refused(.init(reason: "\(name) came out of turn")))
            #expect(await recorder.end() as? ProtocolFault == .unexpected(name))
        }

        @Test(arguments: ["prepare", "stop", "collect", "probe"])
        func `what is prepared is not prepared again, nor stopped before it started`(name: String) async throws {
            let recorder = try await Recorder()
            #expect(try await recorder.ask(Self.preparation()).name == "prepared")
            #expect(Recorder.instances.count == 1)
            let request = try #require(SampleMessages.all.first { $0.name == name })
            #expect(try await recorder.ask(request) == .refused(.init(reason: "\(name) came out of turn")))
            #expect(await recorder.end() as? ProtocolFault == .unexpected(name))
            #expect(Recorder.instances.isEmpty)
        }

        @Test(arguments: [
            "../../etc:passwd", "sched/..:x", "sched:../sched_switch", "sched", "sched:", ":sched_switch", "sched:a:b",
            "sched:sched switch", "",
        ])
        func `a name that leads out of the events' folder is malformed`(name: String) async throws {
            let recorder = try await Recorder()
            #expect(try await recorder.ask(Self.preparation(events: [name])).name == "refused")
            #expect(await recorder.end() as? ProtocolFault == .malformed(message: "prepare", field: "event \(name)"))
            #expect(Recorder.instances.isEmpty)
        }

        @Test func `too many events, too long a filter and too long an interval are malformed`() async throws {
            let malformed = [
                Self.preparation(events: Array(repeating: "sched:sched_switch", count: 513)),
                Self.preparation(filter: String(repeating: " ", count: EventRequest.longestFilter + 1)),
                Self.preparation(filter: "prev_pid == 1\n0"), Self.preparation(interval: 3_600_001),
            ]
            for request in malformed {
                let recorder = try await Recorder()
                #expect(try await recorder.ask(request).name == "refused")
                let fault = await recorder.end() as? ProtocolFault
                #expect(fault?.text.contains("prepare is malformed") == true, "\(request)")
                #expect(Recorder.instances.isEmpty)
            }
        }

        @Test func `what the kernel refuses is said, and may be asked for otherwise`() async throws {
            let recorder = try await Recorder()
            let refusals = [
                (Self.preparation(filter: "no_such_field == 1"), "no_such_field"),
                (Self.preparation(clock: "sundial"), "no trace clock sundial"),
                (Self.preparation(events: ["sched:no_such_event"]), "none of the events"),
                (Self.preparation(bufferKiB: .max), "KiB of memory are available"),
            ]
            for (request, words) in refusals {
                let answer = try await recorder.ask(request)
                #expect(answer.name == "refused" && "\(answer)".contains(words), "\(answer)")
                #expect(Recorder.instances.isEmpty, "\(words)")
            }
            #expect(try await recorder.ask(Self.preparation()).name == "prepared")
            #expect(try await recorder.ask(.start) == .started)
            #expect(try await recorder.ask(.probe(number: 3)) == .probed(number: 3))
            #expect(try await recorder.ask(.end) == .ended)
            #expect(await recorder.end() == nil)
            #expect(Recorder.instances.isEmpty)
        }

        @Test func `a recorder that goes leaves no instance behind`() async throws {
            let recorder = try await Recorder()
            #expect(try await recorder.ask(Self.preparation()).name == "prepared")
            #expect(try await recorder.ask(.start) == .started)
            #expect(await recorder.end() as? ProtocolFault == .closed)
            #expect(Recorder.instances.isEmpty)
        }
    }
#endif

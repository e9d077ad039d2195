// A recorder that talks badly: whatever it sends, the agent ends it within a bound, says who it was, and serves the
// next one. Needs root and tracefs, since the agent records.

import NIOCore
import NIOPosix

#if DEBUG
    import Glibc
    import LinuxSystem
    @testable import Recording
    import Testing
    import TestSupport

    /// What a recorder does that it should not, and what the agent says of it.
    struct Trick: Sendable, CustomTestStringConvertible {
        var name: String
        var words: String
        var act: @Sendable (HostileRecorder) async throws -> Void

        init(_ name: String, _ words: String, _ act: @escaping @Sendable (HostileRecorder) async throws -> Void) {
            (self.name, self.words, self.act) = (name, words, act)
        }

        var testDescription: String { name }
    }

    // One process has one instance: these come after each other.
    extension AgentSessionTests {
        @Suite struct HostileRecorderTests {
            /// An agent that is talked to badly, and what is expected of it afterwards.
            private static func expectUnharmed(
                _ trick: Trick, patience: TimeAmount = .seconds(20), within limit: Int64 = 10_000_000_000
            ) async throws {
                let system = systemState
                let agent = try await ServingAgent(patience: patience)
                let recorder = HostileRecorder(agent)
                let honest = HostileRecorder(agent)
                var fault: (any Error)?
                do {
                    try await trick.act(recorder)
                    // Who it was stands on the same line. How long an honest one takes is the machine's affair.
                    await agent.expectLine(recorder.address, trick.words, within: limit)
                    try await honest.recordHonestly()
                    #expect(!ServingAgent.hasInstance)
                    #expect(agent.log.allSatisfy { !$0.contains("\n") && $0.utf8.count < 8192 })
                } catch { fault = error }
                await honest.end()
                await recorder.end()
                try await agent.end()
                #expect(!ServingAgent.hasInstance)
                #expect(systemState == system)
                if let fault { throw fault }
            }

            /// What is the machine's, and no instance's.
            private static var systemState: [String?] {
                ["current_tracer", "set_event", "trace_clock", "buffer_size_kb", "events/sched/sched_switch/filter"].map
                {
                    TextFile.optional("/sys/kernel/tracing/" + $0)
                }
            }

            // MARK: Before the greeting

            @Test(arguments: [
                Trick("plain text", "another key") { recorder in
                    try await recorder.plain().writeAndFlush(ByteBuffer(string: "GET / HTTP/1.1\r\n\r\n")).get()
                },
                Trick("another key", "another key") { recorder in
                    let path = temporaryPath("other")
                    try PreSharedKey.make(file: path)
                    defer { unlink(path) }
                    let channel = try await recorder.connected(key: try PreSharedKey(file: path))
                    _ = try? await channel.receive()
                },
                Trick("gone at once", "") { recorder in try await recorder.plain().close().get() },
                Trick("another program", "no virtlat") { recorder in
                    _ = try await recorder.connected(saying: RawFrame.of(1) { $0.text("trace-cmd".utf8) })
                },
                Trick("another version", "speaks version 2") { recorder in
                    _ = try await recorder.connected(saying: RawFrame.of(.hello(.init(version: 2, peer: "somebody"))))
                },
                Trick("a name that feigns a line", "malformed") { recorder in
                    _ = try await recorder.connected(
                        saying: RawFrame.of(.hello(.init(peer: "x\nvirtlat agent: session ended"))))
                },
                Trick("a request before the greeting", "no virtlat") { recorder in
                    _ = try await recorder.connected(saying: RawFrame.of(.start))
                },
                Trick("an empty frame", "malformed") { recorder in
                    _ = try await recorder.connected(saying: RawFrame.of([]))
                },
                Trick("a frame beyond the bound", "131073 bytes") { recorder in
                    _ = try await recorder.connected(saying: RawFrame.length(MessageCodec.longestRequest + 1))
                },
                Trick("a frame of all bits", "4294967295 bytes") { recorder in
                    _ = try await recorder.connected(saying: RawFrame.length(.max))
                },
            ]) func `who can't greet is refused at once`(trick: Trick) async throws {
                try await Self.expectUnharmed(trick)
            }

            @Test(arguments: [
                Trick("nothing said", "no answer") { recorder in _ = try await recorder.plain() },
                Trick("half a handshake", "no answer") { recorder in
                    // A record of TLS that announces 512 bytes.
                    try await recorder.plain().writeAndFlush(ByteBuffer(bytes: [0x16, 3, 1, 2, 0, 1, 0])).get()
                },
                Trick("no greeting", "no answer") { recorder in _ = try await recorder.connected(saying: []) },
                Trick("a greeting byte by byte", "no answer") { recorder in
                    let channel = try await recorder.connected(saying: [])
                    for byte in RawFrame.of(.hello(.init(peer: String(repeating: "x", count: 200)))).prefix(100) {
                        try? await channel.send(raw: [byte])
                        try await Task.sleep(for: .milliseconds(30))
                    }
                },
                Trick("a request that never comes", "no answer") { recorder in _ = try await recorder.greeted() },
                Trick("a start that never comes", "no answer") { recorder in _ = try await recorder.prepared() },
                Trick("a frame that is never whole", "no answer") { recorder in
                    try await recorder.greeted().send(raw: RawFrame.length(100_000) + [2])
                },
                Trick("a request byte by byte", "no answer") { recorder in
                    let channel = try await recorder.greeted()
                    for byte in RawFrame.of(HostileRecorder.preparation()).prefix(60) {
                        try? await channel.send(raw: [byte])
                        try await Task.sleep(for: .milliseconds(100))
                    }
                },
            ]) func `who takes too long to say something is cut off`(trick: Trick) async throws {
                try await Self.expectUnharmed(trick, patience: .seconds(1))
            }

            // MARK: Requests

            @Test(arguments: [
                Trick("start before prepare", "start came out of turn") {
                    try await $0.greeted().ask(.start, "refused")
                },
                Trick("collect before stop", "collect came out of turn") {
                    try await $0.recording().ask(.collect(.init(wantsKernelSymbols: true)), "refused")
                },
                Trick("prepare twice", "prepare came out of turn") {
                    try await $0.prepared().ask(HostileRecorder.preparation(), "refused")
                },
                Trick("start twice", "start came out of turn") { try await $0.recording().ask(.start, "refused") },
                Trick("start after stop", "start came out of turn") { try await $0.stopped().ask(.start, "refused") },
                Trick("stop twice", "stop came out of turn") { try await $0.stopped().ask(.stop, "refused") },
                Trick("a probe before start", "probe came out of turn") {
                    try await $0.prepared().ask(.probe(number: 1), "refused")
                },
                Trick("a probe of a number that no marker has", "probe came out of turn") {
                    try await $0.recording().ask(.probe(number: Marker.mostNumbers), "refused")
                },
                Trick("a second greeting", "hello came out of turn") {
                    try await $0.greeted().ask(.hello(.init(peer: "me")), "refused")
                },
                Trick("collect twice", "collect came out of turn") { recorder in
                    let channel = try await recorder.stopped()
                    try await channel.ask(.collect(.init(wantsKernelSymbols: false)), "collected")
                    try await channel.ask(.collect(.init(wantsKernelSymbols: false)), "refused")
                },
            ]) func `who asks out of turn is refused, and tracing is off`(trick: Trick) async throws {
                try await Self.expectUnharmed(trick)
            }

            @Test(arguments: SampleMessages.all.filter { SampleMessages.bytes($0)[0] > 64 }.map(\.name))
            func `an agent's own messages are no requests`(name: String) async throws {
                let message = try #require(SampleMessages.all.first { $0.name == name })
                try await Self.expectUnharmed(
                    Trick(name, "\(name) came out of turn") { try await $0.recording().ask(message, "refused") })
            }

            @Test(arguments: [
                Trick("type 0", "unknown type 0") { try await $0.sendsMalformed(RawFrame.of([0])) },
                Trick("type 8", "unknown type 8") { try await $0.sendsMalformed(RawFrame.of([8])) },
                Trick("type 255", "unknown type 255") { try await $0.sendsMalformed(RawFrame.of([255])) },
                Trick("a length of 0", "malformed") { try await $0.sendsMalformed(RawFrame.of([])) },
                Trick("a length beyond the bound", "131073 bytes") {
                    try await $0.sendsMalformed(RawFrame.length(MessageCodec.longestRequest + 1))
                },
                Trick("more than the message", "1 bytes too many") {
                    try await $0.sendsMalformed(RawFrame.of([3, 0]))
                },
                Trick("less than the message", "number") { try await $0.sendsMalformed(RawFrame.of([4, 0, 0])) },
                Trick("a text longer than the frame", "clock") {
                    try await $0.sendsMalformed(RawFrame.of([2, 0xff, 0xff] + Array("mono".utf8)))
                },
                Trick("a text of 64 KiB", "clock") {
                    try await $0.sendsMalformed(RawFrame.of(2) { $0.text([UInt8](repeating: 0x61, count: 65535)) })
                },
                Trick("a text that is no UTF-8", "clock") {
                    try await $0.sendsMalformed(RawFrame.of(2) { $0.text([0xc3, 0x28]) })
                },
                Trick("a clock with a control byte", "clock") {
                    try await $0.sendsMalformed(RawFrame.of(2) { $0.text([0x1b, 0x5b]) })
                },
                Trick("a flag that is neither", "live") {
                    try await $0.sendsMalformed(
                        RawFrame.of(2) {
                            $0.text("mono_raw".utf8)
                            $0.writeInteger(UInt32(256))
                            $0.writeInteger(UInt8(2))
                        })
                },
                Trick("65535 events that are not there", "events") {
                    try await $0.sendsMalformed(RawFrame.prepare(events: 65535, []))
                },
                Trick("8192 events", "prepare is malformed") {
                    try await $0.sendsMalformed(RawFrame.prepare(events: 8192, [UInt8](repeating: 0, count: 8192 * 4)))
                },
                Trick("a filter of 64 KiB", "filter") {
                    var buffer = ByteBuffer()
                    buffer.text("sched:sched_switch".utf8)
                    buffer.text([UInt8](repeating: 0x28, count: 65535))
                    try await $0.sendsMalformed(RawFrame.prepare(events: 1, Array(buffer.readableBytesView)))
                },
                Trick("an event with a control byte", "malformed") {
                    try await $0.sendsMalformed(RawFrame.of(events: "sched:\u{7}"))
                },
                Trick("an event with a newline", "sched:\\u000aswitch") {
                    try await $0.sendsMalformed(RawFrame.of(events: "sched:\nswitch"))
                },
                Trick("an event with a blank", "sched:sched switch") {
                    try await $0.sendsMalformed(RawFrame.of(events: "sched:sched switch"))
                },
                Trick("an event elsewhere", "../../etc:passwd") {
                    try await $0.sendsMalformed(RawFrame.of(events: "../../etc:passwd"))
                },
                Trick("an event's name of 4096 bytes", "malformed") {
                    try await $0.sendsMalformed(RawFrame.of(events: String(repeating: "a:", count: 2048)))
                },
                Trick("a filter of two lines", "malformed") {
                    try await $0.sendsMalformed(RawFrame.of(HostileRecorder.preparation(filter: "prev_pid == 1\n0")))
                },
            ]) func `what is no message ends the session, and is answered with why`(trick: Trick) async throws {
                try await Self.expectUnharmed(trick)
            }

            @Test func `what the kernel can't do is refused as often as it is asked for, and takes nothing`()
                async throws
            {
                try await Self.expectUnharmed(
                    Trick("", "ended") { recorder in
                        let channel = try await recorder.greeted()
                        let deep = String(repeating: "(", count: EventRequest.longestFilter)
                        for _ in 0..<20 {
                            for request in [
                                HostileRecorder.preparation(bufferKiB: .max),
                                HostileRecorder.preparation(clock: "sundial"),
                                HostileRecorder.preparation(clock: "mono\nraw"), HostileRecorder.preparation(clock: ""),
                                HostileRecorder.preparation(clock: String(repeating: "x", count: 4096)),
                                HostileRecorder.preparation(events: ["sched:no_such_event"]),
                                HostileRecorder.preparation(filter: deep),
                                HostileRecorder.preparation(filter: "no_such_field == 1"),
                            ] {
                                channel.post(request)
                                let answer = try await channel.receive()
                                try #require(answer.name == "refused", "\(answer) to \(request)")
                                #expect(!ServingAgent.hasInstance)
                            }
                        }
                        // No size is the agent's choice, which memory bounds.
                        try await channel.ask(HostileRecorder.preparation(bufferKiB: 0), "prepared")
                        try await channel.ask(.end, "ended")
                    }, within: 40_000_000_000)
            }

            // MARK: Recorders that go, and that don't listen

            @Test(arguments: ["greeted", "prepared", "recording", "live", "stopped", "collecting"], [true, false])
            func `whoever goes leaves nothing, whatever it was that went on`(state: String, isReset: Bool) async throws
            {
                let trick = Trick(state, isReset || state != "greeted" ? "ended" : "") { recorder in
                    let channel =
                        switch state {
                        case "greeted": try await recorder.greeted()
                        case "prepared": try await recorder.prepared()
                        case "recording": try await recorder.recording()
                        case "live": try await recorder.recording(isLive: true)
                        default: try await recorder.stopped()
                        }
                    if state == "collecting" { channel.post(.collect(.init(wantsKernelSymbols: true))) }
                    if isReset { try await channel.reset() } else { await channel.abort() }
                }
                try await Self.expectUnharmed(trick)
            }

            @Test(arguments: [false, true])
            func `a recorder that does not read is not waited for`(isLive: Bool) async throws {
                let trick = Trick("deaf", "it has taken nothing for 1 s") { recorder in
                    let load = try Self.systemCalls()
                    defer { load.end() }
                    let events = ["raw_syscalls:sys_enter", "raw_syscalls:sys_exit"]
                    if isLive {
                        _ = try await recorder.recording(isLive: true, events: events)
                    } else {
                        let channel = try await recorder.stopped(events: events, after: .seconds(1))
                        channel.post(.collect(.init(wantsKernelSymbols: true)))
                    }
                    try await Task.sleep(for: .seconds(3))
                }
                try await Self.expectUnharmed(trick, patience: .seconds(1))
            }

            /// A program that does nothing but call the kernel.
            private static func systemCalls() throws -> Load {
                Load(child: try Child(["dd", "if=/dev/zero", "of=/dev/null", "bs=1", "status=none"]))
            }

            private struct Load {
                var child: Child

                func end() {
                    child.signal(SIGKILL)
                    _ = child.wait()
                }
            }

            @Test func `a flood of probes that nobody takes the answers of ends the session`() async throws {
                try await Self.expectUnharmed(
                    Trick("probes", "ended early") { recorder in
                        let channel = try await recorder.recording()
                        let flood = Array((0..<10_000).map { RawFrame.of(.probe(number: UInt32($0))) }.joined())
                        // Until the agent has had enough, or the kernel that nothing is taken (TCP_USER_TIMEOUT).
                        let end = monotonicNanoseconds() + 20_000_000_000
                        while monotonicNanoseconds() < end {
                            do { try await channel.send(raw: flood) } catch { break }
                        }
                    }, within: 30_000_000_000)
            }

            @Test func `a second recorder is told who has the machine, and does not disturb`() async throws {
                let agent = try await ServingAgent()
                let recorder = HostileRecorder(agent)
                let first = try await recorder.recording()
                for _ in 0..<20 {
                    let second = try await recorder.connected()
                    second.post(.hello(.init(peer: "another")))
                    guard case .busy(let busy) = try await second.receive() else {
                        Issue.record("not busy")
                        break
                    }
                    #expect(busy.peer.contains("a recorder of no good"))
                    await second.close()
                }
                try await first.ask(.probe(number: 1), "probed")
                try await first.ask(.stop, "stopped")
                try await first.ask(.end, "ended")
                await recorder.end()
                try await agent.end()
            }
        }
    }

    extension HostileRecorder {
        /// Greets, says this, and is told what was wrong with it.
        fileprivate func sendsMalformed(_ bytes: [UInt8]) async throws {
            let channel = try await greeted()
            try await channel.send(raw: bytes)
            #expect(try await channel.receive().name == "refused")
        }
    }

    extension RawFrame {
        fileprivate static func of(events name: String) -> [UInt8] { of(HostileRecorder.preparation(events: [name])) }

        /// - Parameters:
        ///   - count: of events, as it is announced.
        ///   - bytes: what follows.
        fileprivate static func prepare(events count: UInt16, _ bytes: [UInt8]) -> [UInt8] {
            of(2) {
                $0.text("mono_raw".utf8)
                $0.writeInteger(UInt32(256))
                $0.writeInteger(UInt8(0))
                $0.writeInteger(UInt32(0))
                $0.writeInteger(count)
                $0.writeBytes(bytes)
            }
        }
    }
#endif

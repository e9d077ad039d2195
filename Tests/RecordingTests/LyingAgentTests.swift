// A guest that lies about itself, its clocks and what it says, or says nothing: the recorder's time and memory are
// bounded all the same. Needs root and tracefs, since it records.

import NIOCore

#if DEBUG
    import ClockSync
    import Glibc
    import LinuxSystem
    @testable import Recording
    import Sessions
    import Testing
    import TestSupport

    /// What an agent does that it should not.
    struct Lie: Sendable, CustomTestStringConvertible {
        var name: String
        /// What is said of it.
        var words: String
        var answer: HostileAgent.Answer

        init(_ name: String, _ words: String, _ answer: @escaping HostileAgent.Answer) {
            (self.name, self.words, self.answer) = (name, words, answer)
        }

        var testDescription: String { name }
    }

    // One process has one instance: these come after each other.
    extension AgentSessionTests {
        @Suite struct LyingAgentTests {
            /// What came of a recording.
            private struct Outcome {
                /// Why there is none; nil when there is.
                var refusal: String?
                var manifest: Manifest?
                var hostEvents = 0
                var seconds = 0.0
                var analysis: Int32?
            }

            /// Records the guest `evil`, which has a second to answer.
            private static func record(
                _ lie: Lie, transfer: Manifest.Transfer = .after, analyzed isAnalyzed: Bool = false
            ) async throws -> Outcome {
                let (folder, keyPath) = (temporaryPath("lying"), temporaryPath("key"))
                try PreSharedKey.make(file: keyPath)
                defer {
                    for name in (try? Folder.names(in: folder)) ?? [] { unsafe unlink(folder + "/" + name) }
                    unsafe rmdir(folder)
                    unlink(keyPath)
                }
                let key = try PreSharedKey(file: keyPath)
                let agent = try await HostileAgent(key: key, answer: lie.answer)
                var plan = RecordingPlan(
                    folder: folder,
                    guests: [GuestTarget(name: "evil", address: .tcp(host: "127.0.0.1", port: agent.port))],
                    recorder: "virtlat test")
                plan.program = try BuiltProgram.path()
                plan.key = key
                plan.duration = 100_000_000
                plan.bufferKiB = 1024
                plan.transfer = transfer
                plan.guestBudget.patience = 1_000_000_000
                var outcome = Outcome()
                let begin = monotonicNanoseconds()
                do {
                    let manifest = try await Recorder(plan, stop: StopRequest()) { _ in }.run()
                    outcome.manifest = try Manifest.read(folder: folder)
                    #expect(outcome.manifest?.faults == manifest.faults)
                    outcome.hostEvents = manifest.machines[0].disturbance.allEvents ?? 0
                } catch let fault as RecordingFault {
                    guard case .guests(let faults) = fault else { throw fault }
                    outcome.refusal = faults.map(\.text).joined()
                } catch let fault as GuestFault {
                    outcome.refusal = fault.text
                }
                outcome.seconds = Double(monotonicNanoseconds() - begin) / 1e9
                #expect(!ServingAgent.hasInstance)
                if outcome.refusal != nil { #expect(!Folder.exists(folder), "what was made is gone") }
                if isAnalyzed { outcome.analysis = try analyze(folder) }
                try await agent.end()
                return outcome
            }

            /// Exit status of `virtlat analyze`.
            private static func analyze(_ folder: String) throws -> Int32 {
                let program = try BuiltProgram.path()
                let nothing = unsafe open("/dev/null", O_RDWR | O_CLOEXEC)
                defer { close(nothing) }
                return try Child(
                    [program, "analyze", folder], descriptors: [(0, nothing), (1, nothing), (2, nothing)]
                ).wait()
            }

            /// The host's part is whole, and who is to blame is said, in words that a terminal does not obey.
            private static func expectCutOff(_ outcome: Outcome, _ lie: Lie) {
                #expect(outcome.seconds < 12, "\(outcome.seconds) s")
                let texts = outcome.refusal.map { [$0] } ?? outcome.manifest?.faults ?? []
                #expect(texts.contains { $0.contains("evil") && $0.contains(lie.words) }, "\(texts)")
                #expect(
                    texts.allSatisfy {
                        $0.unicodeScalars.allSatisfy { $0.value >= 0x20 && !(0x7f...0x9f).contains($0.value) }
                    })
                guard let manifest = outcome.manifest else { return }
                #expect(manifest.outcome == .cutOff)
                #expect(outcome.hostEvents > 0 && manifest.measured?.end != nil)
            }

            // MARK: Silence

            @Test(arguments: ["hello", "prepare", "start", "probe", "last probe", "stop", "collect", "end"])
            func `a guest that does not answer any more is lost within its time`(request: String) async throws {
                let lie = Lie(request, request == "end" ? "" : "no answer for 1 s") { message, _ in
                    if case .probe(let number) = message, request == "last probe" {
                        return number == RecordingPlan.probesBefore
                    }
                    return message.name == request
                }
                let outcome = try await Self.record(lie)
                Self.expectCutOff(outcome, lie)
                // Before it records, nothing is recorded at all.
                #expect((outcome.refusal != nil) == ["hello", "prepare", "start"].contains(request))
            }

            @Test(arguments: [
                Lie("data", "more slowly than 256 KiB/s") { message, channel in
                    guard case .collect = message else { return false }
                    while true {
                        try await channel.send(.data(.init(cpu: 0, bytes: [UInt8](repeating: 0, count: 4096))))
                        try await Task.sleep(for: .milliseconds(100))
                    }
                },
                Lie("sections", "more slowly than 256 KiB/s") { message, channel in
                    guard case .collect = message else { return false }
                    while true {
                        try await channel.send(.section(TraceSection(kind: .kernelSymbols, bytes: [0x61])))
                        try await Task.sleep(for: .milliseconds(100))
                    }
                },
                Lie("a frame", "no answer for 1 s") { message, channel in
                    guard case .collect = message else { return false }
                    try await channel.send(raw: RawFrame.length(4099) + [72, 0, 0])
                    while true {
                        try await channel.send(raw: [0])
                        try await Task.sleep(for: .milliseconds(100))
                    }
                },
                Lie("answers to probes", "no answer for 1 s") { message, _ in
                    if case .probe = message { try await Task.sleep(for: .milliseconds(100)) }
                    return false
                },
                Lie("a greeting", "no answer for 1 s") { message, channel in
                    guard case .hello = message else { return false }
                    for byte in RawFrame.of(.welcome(HostileAgent.welcome)) {
                        try await channel.send(raw: [byte])
                        try await Task.sleep(for: .milliseconds(100))
                    }
                    return true
                },
            ]) func `a guest that trickles is lost within its time`(lie: Lie) async throws {
                Self.expectCutOff(try await Self.record(lie), lie)
            }

            @Test func `a guest that trickles after a live recording is lost within its time`() async throws {
                let lie = Lie("live", "more slowly than 256 KiB/s") { message, channel in
                    guard case .stop = message else { return false }
                    while true {
                        try await channel.send(.data(.init(cpu: 0, bytes: [UInt8](repeating: 0, count: 4096))))
                        try await Task.sleep(for: .milliseconds(100))
                    }
                }
                Self.expectCutOff(try await Self.record(lie, transfer: .live), lie)
            }

            // MARK: Texts

            private static func text(_ bytes: [UInt8]) -> String { String(decoding: bytes, as: UTF8.self) }

            /// What a terminal would obey.
            private static let escape = "\u{1b}]0;owned\u{7}\u{9b}31m"

            /// A guest that answers one request with this.
            private static func lie(_ name: String, _ words: String, to request: String, _ bytes: [UInt8]) -> Lie {
                Lie(name, words) { message, channel in
                    guard message.name == request else { return false }
                    try await channel.send(raw: bytes)
                    return true
                }
            }

            private static func welcome(_ change: (inout Message.Welcome) -> Void) -> [UInt8] {
                var welcome = HostileAgent.welcome
                change(&welcome)
                return RawFrame.of(.welcome(welcome))
            }

            private static var escapes: [Lie] {
                let stopped = Message.Stopped(
                    processorTime: 0, wakeUps: 0, bytesDuring: 0, threads: [], crossTimestamps: [], fault: escape)
                return [
                    lie("name", "malformed", to: "hello", welcome { $0.name = escape }),
                    lie("release", "malformed", to: "hello", welcome { $0.release = escape }),
                    lie("uname", "malformed", to: "hello", welcome { $0.uname = escape }),
                    lie("clock", "malformed", to: "hello", welcome { $0.clocks = [escape] }),
                    lie("address", "malformed", to: "hello", welcome { $0.networkAddresses = [escape] }),
                    lie("remark", "malformed", to: "hello", welcome { $0.remarks = [escape] }),
                    lie("busy", "malformed", to: "hello", RawFrame.of(.busy(.init(seconds: 1, peer: escape)))),
                    lie("refused", "malformed", to: "hello", RawFrame.of(.refused(.init(reason: escape)))),
                    lie(
                        "event", "malformed", to: "prepare",
                        RawFrame.of(
                            .prepared(
                                .init(
                                    bufferKiB: 1, enabled: [.init(name: escape, filter: "")], absent: [], multiplier: 0,
                                    shift: 0)))
                    ),
                    lie(
                        "absent event", "malformed", to: "prepare",
                        RawFrame.of(
                            .prepared(.init(bufferKiB: 1, enabled: [], absent: [escape], multiplier: 0, shift: 0)))),
                    lie("fault", "malformed", to: "stop", RawFrame.of(.stopped(stopped))),
                    lie(
                        "section", "malformed", to: "collect",
                        RawFrame.of(.section(TraceSection(kind: .format, name: escape, bytes: [])))),
                    lie("fault of the trace", "malformed", to: "collect", RawFrame.of(.collected(fault: escape))),
                ]
            }

            @Test(arguments: escapes)
            func `no text of a guest's has anything that a terminal obeys`(lie: Lie) async throws {
                Self.expectCutOff(try await Self.record(lie), lie)
            }

            private static var extremes: [Lie] {
                [
                    lie("no CPU", "malformed: cpus", to: "hello", welcome { $0.cpus = 0 }),
                    lie("65535 CPUs", "malformed: cpus", to: "hello", welcome { $0.cpus = .max }),
                    lie("no page", "malformed: page size", to: "hello", welcome { $0.pageSize = 0 }),
                    lie("a page of all bits", "malformed: page size", to: "hello", welcome { $0.pageSize = .max }),
                    lie("a page of 3000", "malformed: page size", to: "hello", welcome { $0.pageSize = 3000 }),
                    lie("no long", "malformed: long size", to: "hello", welcome { $0.longSize = 0 }),
                    lie("a long of 255", "malformed: long size", to: "hello", welcome { $0.longSize = .max }),
                    lie("another version", "speaks version 0", to: "hello", welcome { $0.version = 0 }),
                    lie(
                        "a name of 64 KiB", "malformed: name", to: "hello",
                        RawFrame.of(65) {
                            $0.writeInteger(UInt16(1))
                            $0.text([UInt8](repeating: 0x61, count: 65535))
                        }),
                    lie(
                        "a name that is no UTF-8", "malformed: name", to: "hello",
                        RawFrame.of(65) {
                            $0.writeInteger(UInt16(1))
                            $0.text([0xff, 0xfe])
                        }),
                    lie(
                        "8193 remarks", "malformed: remarks", to: "hello",
                        welcome { $0.remarks = [String](repeating: "", count: 8193) }),
                ]
            }

            @Test(arguments: extremes)
            func `a guest with impossible numbers or texts is not recorded`(lie: Lie) async throws {
                let outcome = try await Self.record(lie)
                Self.expectCutOff(outcome, lie)
                #expect(outcome.refusal != nil)
            }

            private static var boasts: [Lie] {
                [
                    lie("8192 CPUs", "", to: "hello", welcome { $0.cpus = 8192 }),
                    lie("pages of 64 MiB", "", to: "hello", welcome { $0.pageSize = 1 << 26 }),
                    lie("no memory", "", to: "hello", welcome { $0.availableMemoryKiB = 0 }),
                    lie("all memory", "", to: "hello", welcome { $0.availableMemoryKiB = .max }),
                    lie(
                        "8192 addresses", "", to: "hello",
                        welcome { $0.networkAddresses = (0..<8192).map { "52:54:00:00:\($0)" } }),
                    lie(
                        "8192 remarks", "", to: "hello",
                        welcome { $0.remarks = [String](repeating: "remark", count: 8192) }),
                    lie(
                        "texts of 4096 bytes", "", to: "hello",
                        welcome { $0.uname = String(repeating: "x", count: 4096) }),
                    lie(
                        "clocks of no kernel", "", to: "hello",
                        welcome {
                            $0.clocks = ["mono_raw\nx86-tsc", "../mono", String(repeating: "c", count: 4096), ""]
                        }),
                ]
            }

            @Test(arguments: boasts)
            func `a guest that boasts is recorded within its budget`(lie: Lie) async throws {
                let before = Self.residentKiB
                let outcome = try await Self.record(lie)
                Self.expectCutOff(outcome, lie)
                #expect(outcome.refusal == nil)
                #expect(Self.residentKiB - before < 256 << 10)
            }

            @Test func `a live guest with 8192 CPUs is recorded within its time, or not at all`() async throws {
                let lie = Self.lie("8192 CPUs", "8192 CPUs", to: "hello", Self.welcome { $0.cpus = 8192 })
                let outcome = try await Self.record(lie, transfer: .live)
                if outcome.refusal != nil { Self.expectCutOff(outcome, lie) }
            }

            // MARK: Clocks

            /// Times that a guest's marks claim, by the probe's number.
            enum Times: String, CaseIterable, Sendable {
                case zero, backwards, huge, extremes, signs, noNumber

                func of(_ number: UInt32) -> UInt64 {
                    switch self {
                    case .zero: 0
                    case .backwards: 1 << 40 - UInt64(number) * 1_000_000
                    case .huge: .max - 1000 + UInt64(number)
                    case .extremes: number % 2 == 0 ? 0 : .max
                    case .signs: number % 2 == 0 ? 1 << 63 : 1 << 63 - 1
                    case .noNumber: Double.nan.bitPattern + UInt64(number)
                    }
                }
            }

            /// A sub-buffer with the two marks of a probe (`raw_data`, include/linux/ring_buffer.h).
            private static func page(probe number: UInt32, at time: UInt64, type: UInt16) -> [UInt8] {
                var page = ByteBuffer()
                page.writeMultipleIntegers(time, UInt64(32), endianness: .little)
                for kind in [Marker.Kind.received, .sent] {
                    // 12 bytes, no time since the one before; type, flags, preempt count, thread, id.
                    page.writeMultipleIntegers(
                        UInt32(3), type, UInt16(0), UInt32(1), Marker(kind, number).id, endianness: .little)
                }
                page.writeRepeatingByte(0, count: 4096 - page.readableBytes)
                return Array(page.readableBytesView)
            }

            @Test(arguments: Times.allCases)
            func `times of no clock neither end the recorder nor the analysis`(times: Times) async throws {
                let format = try TraceFS.text("events/ftrace/raw_data/format")
                let header = try TraceFS.text("events/header_page")
                let type = try #require(
                    format.split(separator: "\n").first { $0.hasPrefix("ID: ") }.flatMap { UInt16($0.dropFirst(4)) })
                let stamps: [Message.Stopped.Stamp] = [
                    .init(host: .min, realtime: .max, monotonicRaw: .min, monotonic: .max, before: 0, after: .max),
                    .init(host: .max, realtime: .min, monotonicRaw: .max, monotonic: .min, before: .max, after: 0),
                    .init(host: 0, realtime: 0, monotonicRaw: 0, monotonic: 0, before: 0, after: 0),
                ]
                let lie = Lie(times.rawValue, "") { message, channel in
                    switch message {
                    case .prepare:
                        try await channel.send(
                            .prepared(
                                .init(
                                    bufferKiB: .max, enabled: [], absent: [], multiplier: .max,
                                    shift: times == .zero ? .max : 63)))
                    case .stop:
                        try await channel.send(
                            .stopped(
                                .init(
                                    processorTime: .max, wakeUps: .max, bytesDuring: .max,
                                    threads: [.min, -1, 0, .max],
                                    crossTimestamps: [[Message.Stopped.Stamp]](repeating: stamps, count: 50).flatMap {
                                        $0
                                    }, fault: "")))
                    case .collect:
                        try await channel.send(.section(TraceSection(kind: .headerPage, bytes: Array(header.utf8))))
                        try await channel.send(
                            .section(TraceSection(kind: .format, name: "ftrace", bytes: Array(format.utf8))))
                        for number in 0..<RecordingPlan.probes {
                            let page = Self.page(probe: number, at: times.of(number), type: type)
                            try await channel.send(.data(.init(cpu: 0, bytes: page)))
                        }
                        try await channel.send(.collected(fault: ""))
                    default: return false
                    }
                    return true
                }
                let outcome = try await Self.record(lie, analyzed: true)
                #expect(outcome.seconds < 12 && outcome.hostEvents > 0, "\(outcome)")
                let manifest = try #require(outcome.manifest)
                // They have come as far as the comparison of clocks.
                #expect(manifest.clocks.first?.exchanges.count == Int(RecordingPlan.probes))
                #expect(manifest.clocks.first?.crossTimestamps.count == 150)
                let status = try #require(outcome.analysis)
                #expect(status < 126, "it was ended by a signal, or not found")
            }

            @Test func `exchanges are paired and fitted whatever the clocks say`() {
                let times: [RawTime] = [0, 1, .max, .max - 1, 1 << 63, 1 << 63 - 1, Double.nan.bitPattern]
                var pairs = 0
                for (index, first) in times.enumerated() {
                    for second in times {
                        for (multiplier, shift) in [
                            (UInt32(0), UInt32(0)), (.max, 0), (.max, 63), (1, 63), (1 << 31, 31),
                        ] {
                            var (host, guest) = (TraceScan(), TraceScan())
                            host.markers = [
                                .sent: [0: first, 1: second], .received: [0: times[times.count - 1 - index], 1: first],
                            ]
                            guest.markers = [.received: [0: second, 1: first], .sent: [0: first, 1: second]]
                            let clock = CycleConversion(multiplier: multiplier, shift: shift, offset: .max)
                            let exchanges = Exchange.pair(
                                host: host, hostClock: nil, guest: guest, guestClock: clock, numbers: 0..<2)
                            #expect(TimeShift.exchanges(exchanges, cpus: 2).count == 2)
                            pairs += exchanges.count
                        }
                    }
                }
                #expect(pairs == 2 * 5 * times.count * times.count)
            }

            /// Memory of this process that is in use now.
            private static var residentKiB: Int {
                let line = TextFile.optional("/proc/self/status")?.split(separator: "\n").first {
                    $0.hasPrefix("VmRSS:")
                }
                return line.flatMap { Int($0.filter(\.isNumber)) } ?? 0
            }
        }
    }
#endif

// One recorder's conversation with the agent: what it may ask for, in which order.

import ClockSync
import LinuxSystem
import NIOCore
import Sessions
import Synchronization

/// A session of the agent. Its states follow each other: greeted, prepared, recording, stopped; a request out of turn
/// is refused, and whatever ends the conversation switches tracing off and removes the instance.
struct AgentSession {
    private let channel: MessageChannel
    private let spoolFolder: String?
    private var state = State.greeted
    private let quiet = QuietTime()

    private enum State {
        case greeted
        case prepared(Recording)
        case recording(Recording)
        case stopped(Recording)
    }

    /// What a prepared session holds.
    private struct Recording {
        var trace: MachineTrace
        var sampler: CrossTimestampSampler?
        var interval: Int32
        var isLive: Bool
        /// Where the trace waits; nil when it is sent at once.
        var spool: Spool?
        let fault = Fault()
    }

    /// What went wrong with keeping the trace, from the drain's thread.
    private final class Fault: Sendable {
        let text = Mutex("")

        func set(_ error: SystemError) {
            text.withLock { text in
                guard text.isEmpty else { return }
                text = "the trace could not be kept (\(error.call): \(error.text)), so it ends early"
            }
        }
    }

    /// The trace takes this share of the memory, or of the spool folder's space, that is free when the recording is
    /// prepared.
    private static let shareOfSpace = 2
    /// Times the patience with an answer: the recorder asks other guests too before it records.
    private static let requestPatience = 4
    /// Events in one session, and ms between cross-timestamps, are not more.
    private static let mostEvents = 512
    private static let longestInterval: UInt32 = 3_600_000

    /// Who watches over the instance: one guard for all sessions of an agent, which may start no program any more.
    /// Nobody in tests.
    private let watch: Guard?

    init(
        _ channel: MessageChannel, spoolFolder: String?,
        watch: Guard? = nil
    ) {
        self.channel = channel
        self.spoolFolder = spoolFolder
        self.watch = watch
    }

    /// Answers until the recorder says `end` or is gone.
    mutating func run() async throws {
        defer { cleanUp() }
        do {
            try await channel.send(.welcome(try Self.welcome()))
            while true {
                channel.expectAnswer(within: isHeld ? channel.patience * Self.requestPatience : nil)
                let request = try await channel.receive()
                channel.expectAnswer(within: nil)
                quiet.interrupt(bytes: recording?.trace.moved ?? 0)
                if case .end = request { break }
                try await answer(request)
                quiet.begin(bytes: recording?.trace.moved ?? 0)
            }
        } catch ProtocolFault.closed where recording == nil {
            // With nothing under way the recorder may leave without a word.
            return
        } catch let fault as ProtocolFault where fault != .closed {
            // Not waited for: who breaks the rules may not listen either.
            channel.post(.refused(Message.Refusal(reason: fault.text)))
            throw fault
        }
        cleanUp()
        // The recorder may be gone already, and needs no answer then.
        try? await channel.send(.ended)
    }

    /// Nothing is recorded yet, so that the machine is kept from others for nothing.
    private var isHeld: Bool {
        switch state {
        case .greeted, .prepared: true
        case .recording, .stopped: false
        }
    }

    private var recording: Recording? {
        switch state {
        case .greeted: nil
        case .prepared(let recording), .recording(let recording), .stopped(let recording): recording
        }
    }

    private mutating func answer(_ request: Message) async throws {
        do {
            switch (request, state) {
            case (.prepare(let preparation), .greeted): try await prepare(preparation)
            case (.start, .prepared(let recording)): try await start(recording)
            case (.stop, .recording(let recording)): try await stop(recording)
            case (.collect(let collection), .stopped(let recording)): try await collect(recording, collection)
            default: throw ProtocolFault.unexpected(request.name)
            }
        } catch let fault as TracingFault {
            // It may be asked for otherwise.
            cleanUp()
            try await channel.send(.refused(Message.Refusal(reason: fault.text)))
        }
    }

    /// Ends everything that goes on, in the order in which one thing needs the other.
    private mutating func cleanUp() {
        guard let recording else { return }
        channel.answerProbes(nil)
        state = .greeted
        recording.trace.stop()
        _ = recording.sampler?.stop()
        try? recording.trace.finish()
        recording.trace.instance.remove()
    }

    // MARK: Requests

    private static func welcome() throws -> Message.Welcome {
        let system = SystemName.own
        let facts = try GuestFacts.gather()
        return Message.Welcome(
            name: system.name, release: system.release, uname: system.text, cpus: UInt16(clamping: facts.cpus),
            pageSize: UInt32(facts.pageSize),
            longSize: UInt8(MemoryLayout<Int>.size), availableMemoryKiB: UInt64(Memory.availableKiB ?? 0),
            clocks: facts.clocks,
            networkAddresses: facts.networkAddresses, remarks: facts.remarks)
    }

    private mutating func prepare(_ preparation: Message.Preparation) async throws {
        guard preparation.events.count <= Self.mostEvents else {
            throw ProtocolFault.malformed(message: "prepare", field: "events")
        }
        guard preparation.crossTimestampMilliseconds <= Self.longestInterval else {
            throw ProtocolFault.malformed(message: "prepare", field: "interval")
        }
        var events: [EventRequest] = []
        for wanted in preparation.events {
            guard let event = EventName(wanted.name), wanted.filter.utf8.count <= EventRequest.longestFilter,
                !wanted.filter.contains("\n")
            else {
                throw ProtocolFault.malformed(message: "prepare", field: "event \(wanted.name)")
            }
            events.append(EventRequest(event, filter: wanted.filter.isEmpty ? nil : wanted.filter))
        }
        let available = Memory.availableKiB ?? 0
        let trace = try MachineTrace(
            clock: preparation.clock,
            bufferKiB: preparation.bufferKiB == 0 ? nil : Int(clamping: preparation.bufferKiB), events: events,
            wakingAt: preparation.isLive ? 10 : 50)
        let spool = preparation.isLive ? nil : try Spool(cpus: trace.cpus, unnamedIn: spoolFolder)
        let conversion = preparation.clock == "x86-tsc" ? CycleConversion.ofThisMachine : nil
        state = .prepared(
            Recording(
                trace: trace, sampler: CrossTimestampSampler(traceClock: preparation.clock),
                interval: Int32(clamping: preparation.crossTimestampMilliseconds), isLive: preparation.isLive,
                spool: spool))
        spoolBytes = ((try spoolFolder.map(Self.freeKiB) ?? available) / Self.shareOfSpace) << 10
        try await channel.send(
            .prepared(
                Message.Prepared(
                    bufferKiB: UInt32(clamping: trace.bufferKiB),
                    enabled: trace.enabled.map {
                        Message.Preparation.Event(name: $0.event.description, filter: $0.filter ?? "")
                    },
                    absent: trace.absent.map(\.description), multiplier: conversion?.multiplier ?? 0,
                    shift: conversion?.shift ?? 0)))
    }

    /// The most that the spool takes.
    private var spoolBytes = 0

    private static func freeKiB(in folder: String) throws(TracingFault) -> Int {
        do throws(SystemError) { return try Folder.freeKiB(in: folder) } catch { throw .spool(path: folder, error) }
    }

    private mutating func start(_ recording: Recording) async throws {
        let sink: any TraceSink =
            recording.spool.map { BoundedSpool($0, bytes: spoolBytes, isInMemory: spoolFolder == nil) }
            ?? LiveSink(channel)
        let fault = recording.fault
        let trace = recording.trace
        try trace.start(into: sink) { error in
            // Tracing on without keeping anything would only disturb.
            trace.stop()
            fault.set(error)
        }
        recording.sampler?.start(interval: recording.interval)
        channel.answerProbes { [quiet] number in
            trace.markers.write(Marker(.received, number))
            trace.markers.write(Marker(.sent, number))
            quiet.interrupt(bytes: trace.moved)
            quiet.begin(bytes: trace.moved)
        }
        state = .recording(recording)
        if recording.isLive {
            // Data is worth something only with these, and who sends live may be gone before it is asked for them.
            for section in try trace.sections(kernelSymbols: false) {
                for piece in section.pieces { try await channel.send(.section(piece)) }
            }
        }
        try await channel.send(.started)
    }

    private mutating func stop(_ recording: Recording) async throws {
        let stamps = recording.sampler?.stop() ?? []
        channel.answerProbes(nil)
        // With live transfer, what the buffers still hold goes out before the answer.
        do throws(SystemError) { try recording.trace.finish() } catch { recording.fault.set(error) }
        if let text = recording.trace.interference { recording.fault.text.withLock { if $0.isEmpty { $0 = text } } }
        state = .stopped(recording)
        try await channel.send(
            .stopped(
                Message.Stopped(
                    processorTime: UInt64(clamping: quiet.longest.usage.processorTime),
                    wakeUps: UInt64(clamping: quiet.longest.usage.wakeUps),
                    bytesDuring: UInt64(clamping: quiet.longest.bytes),
                    threads: ProcessEntry.threads(of: processID()) + (watch.map { [$0.process] } ?? []),
                    crossTimestamps: stamps.suffix(FieldReader.longestList).map {
                        Message.Stopped.Stamp(
                            host: $0.host, realtime: $0.realtime, monotonicRaw: $0.monotonicRaw,
                            monotonic: $0.monotonic ?? 0,
                            before: $0.before, after: $0.after)
                    },
                    fault: recording.fault.text.withLock { $0 })))
    }

    private mutating func collect(_ recording: Recording, _ collection: Message.Collection) async throws {
        for section in try recording.trace.sections(kernelSymbols: collection.wantsKernelSymbols) {
            for piece in section.pieces { try await channel.send(.section(piece)) }
        }
        if let spool = recording.spool {
            for cpu in spool.cpus { try await send(spool, cpu) }
        }
        // Also what went wrong after `stopped`, when the buffers' rest was moved.
        try await channel.send(.collected(fault: recording.fault.text.withLock { $0 }))
        cleanUp()
    }

    /// Bytes of one message.
    private static let piece = 256 << 10

    private func send(_ spool: Spool, _ cpu: Int) async throws {
        let size = spool.size(cpu: cpu)
        for offset in stride(from: 0, to: size, by: Self.piece) {
            let bytes = try spool.read(cpu: cpu, offset: offset, count: min(Self.piece, size - offset))
            try await channel.send(.data(Message.TraceBytes(cpu: UInt16(clamping: cpu), bytes: bytes)))
        }
    }
}

/// What this process spent while nobody asked it for anything. The longest such time is the measurement.
private final class QuietTime: Sendable {
    struct Stretch {
        var length: Int64 = 0
        var usage = Usage.none
        var bytes = 0
    }

    private struct State {
        var longest = Stretch()
        var begun: (time: Int64, usage: Usage, bytes: Int)?
    }

    private let state = Mutex(State())

    var longest: Stretch { state.withLock { $0.longest } }

    func begin(bytes: Int) { state.withLock { $0.begun = (monotonicNanoseconds(), .now, bytes) } }

    func interrupt(bytes: Int) {
        state.withLock { state in
            guard let begun = state.begun else { return }
            let length = monotonicNanoseconds() - begun.time
            if length > state.longest.length {
                state.longest = Stretch(length: length, usage: .now - begun.usage, bytes: bytes - begun.bytes)
            }
            state.begun = nil
        }
    }
}

// Recording one machine, which is the host's part and the agent's alike: an instance, its drain, where it goes, and
// what it cost.

import Glibc
import LinuxSystem
import Sessions
import Synchronization
import TraceData

/// A prepared recording of this machine. Goes from prepared to started to stopped, once.
final class MachineTrace: Sendable {
    let instance: TraceInstance
    let markers: MarkerFile
    let cpus: [Int]
    let pageSize: Int
    let bufferKiB: Int
    let enabled: [EventRequest]
    let absent: [EventName]
    private let state = Mutex(State())

    private struct State: ~Copyable {
        var drain: BufferDrain?
        var begun = Usage.now
        var spent = Usage.none
        var bytesDuring = 0
        var statistics: [Int: String] = [:]
        var isStopped = false
        var interference: String?
        /// Of the instance's files; nil where the system gives none.
        var watch: FileWatch?
    }

    /// For each CPU, when nobody says otherwise: the time between two readings at a hundred thousand events a second is
    /// seconds then.
    static let defaultBufferKiB = 16 << 10
    /// A share of the memory that is available.
    private static let shareOfMemory = 4

    /// - Parameters:
    ///   - bufferKiB: of each CPU; nil for the default, made smaller where memory is short.
    ///   - percent: how full a buffer has to be before it is read.
    init(clock: String, bufferKiB: Int?, events: [EventRequest], wakingAt percent: Int = 50) throws(TracingFault) {
        cpus = try Self.tracedCPUs()
        let size = try Self.bufferSize(bufferKiB, cpus: cpus.count)
        instance = try TraceInstance(wakingAt: percent)
        try instance.setClock(clock)
        self.bufferKiB = try instance.setBuffer(kibibytes: size)
        (enabled, absent) = try instance.enable(events)
        markers = try MarkerFile(instance)
        pageSize = try Self.subBufferSize()
    }

    /// What the buffer of each CPU gets, in KiB.
    static func bufferSize(_ wanted: Int?, cpus: Int, availableKiB: Int? = Memory.availableKiB) throws(TracingFault)
        -> Int
    {
        guard let available = availableKiB else { return wanted ?? defaultBufferKiB }
        let most = available / shareOfMemory / max(1, cpus)
        if let wanted {
            guard wanted <= most else { throw .tooLarge(requestedKiB: wanted * cpus, availableKiB: available) }
            return wanted
        }
        // Less than a few sub-buffers is no use.
        guard most >= 64 else { throw .tooLarge(requestedKiB: 64 * cpus, availableKiB: available) }
        return min(defaultBufferKiB, most)
    }

    /// Where a sub-buffer ends, by header_page: "field: char data;	offset:16;	size:4080;".
    static func subBufferSize() throws(TracingFault) -> Int {
        let text = try TraceFS.text("events/header_page")
        for line in text.split(separator: "\n") where line.contains("char data;") {
            guard let offset = TraceFile.formatNumber("offset", in: line),
                let size = TraceFile.formatNumber("size", in: line)
            else {
                break
            }
            return offset + size
        }
        return Int(sysconf(Int32(_SC_PAGESIZE)))
    }

    /// CPUs that have a buffer, online or not.
    static func tracedCPUs() throws(TracingFault) -> [Int] {
        let folder = try TraceFS.folder() + "/per_cpu"
        return ((try? Folder.names(in: folder)) ?? []).compactMap { $0.hasPrefix("cpu") ? Int($0.dropFirst(3)) : nil }
            .sorted()
    }

    // MARK: Its life

    /// Switches tracing on; what the buffers can't hold goes to `sink`.
    func start(into sink: any TraceSink, onFault: @escaping @Sendable (SystemError) -> Void) throws(TracingFault) {
        let drain = try BufferDrain(
            instanceFolder: instance.folder, cpus: cpus, pageSize: pageSize, into: sink, onFault: onFault)
        state.withLock { $0.drain = drain }
        try instance.start()
        // From here on nobody has to write there.
        let watch = try? FileWatch(Self.watched, in: instance.folder)
        state.withLock { $0.watch = watch }
    }

    /// From here on counts what is spent.
    func beginMeasurement() {
        let moved = moved
        state.withLock {
            $0.begun = .now
            $0.bytesDuring = -moved
        }
    }

    func endMeasurement() {
        let moved = moved
        state.withLock {
            $0.spent = .now - $0.begun
            $0.bytesDuring += moved
        }
    }

    /// Switches tracing off, after a look at whether all of it was still on.
    func stop() {
        state.withLock { state in
            guard !state.isStopped else { return }
            state.isStopped = true
            state.interference = state.interference ?? foundInterference(state.watch)
            state.watch = nil
        }
        instance.stop()
    }

    /// Somebody else has switched off what was to be recorded, in words; nil where nobody has, as far as was seen.
    var interference: String? { state.withLock { $0.interference } }

    /// Looks whether all is still on, while it should be.
    /// - Parameter moment: when this is, for people.
    func look(_ moment: String) {
        state.withLock { state in
            guard !state.isStopped, state.drain != nil, state.interference == nil else { return }
            if !isThere {
                state.interference = Self.gone
            } else if !isOn("tracing_on") {
                state.interference =
                    "somebody else has switched tracing off (tracing_on): from \(moment) on, if not before, nothing was recorded"
            } else {
                state.interference = written(state.watch)
            }
        }
    }

    /// Files that nobody writes to while it is recorded: each can cost events without a trace in what is left.
    private static let watched = [
        "tracing_on", "trace", "trace_clock", "buffer_size_kb", "set_event", "current_tracer",
    ]

    private func written(_ watch: FileWatch?) -> String? {
        guard let names = watch?.written(), !names.isEmpty else { return nil }
        return
            "somebody else has switched something meanwhile (\(names.joined(separator: ", "))): not all was recorded, or may not have been"
    }

    /// The instance can be reached. What traces is there all the same, and ends with its last reader.
    private var isThere: Bool { Folder.exists(instance.folder) }

    private static let gone =
        "its ftrace instance can't be reached any more: tracefs was unmounted, or the instance removed by somebody else"

    private func foundInterference(_ watch: FileWatch?) -> String? {
        guard isThere else { return Self.gone }
        guard isOn("tracing_on") else {
            return "somebody else has switched tracing off (tracing_on) at the end of the recording, or shortly before"
        }
        if let text = written(watch) { return text }
        let off = enabled.map(\.event).filter { !isOn("events/" + $0.path + "/enable") }
        guard let first = off.first else { return nil }
        return
            "somebody else has switched off \(off.count == 1 ? "the event" : "\(off.count) events, among them") \(first): of these, not all is there"
    }

    private func isOn(_ file: String) -> Bool {
        TextFile.optional(instance.folder + "/" + file).map { !$0.hasPrefix("0") } ?? false
    }

    /// Moves what is left in the buffers to the sink, and leaves nothing of the instance open but its lifeline.
    func finish() throws(SystemError) {
        stop()
        markers.close()
        let drain = state.withLock { $0.drain }
        var fault: SystemError?
        do throws(SystemError) { try drain?.finish() } catch { fault = error }
        let statistics = Dictionary(uniqueKeysWithValues: cpus.map { ($0, currentStatistics(cpu: $0) ?? "") })
        state.withLock {
            $0.drain = nil
            $0.statistics = statistics
        }
        if let fault { throw fault }
    }

    // MARK: What came of it

    /// Bytes that have left the buffers so far.
    var moved: Int { state.withLock { $0.drain?.moved.values.reduce(0, +) ?? 0 } }

    var disturbance: (usage: Usage, bytesDuring: Int) { state.withLock { ($0.spent, max(0, $0.bytesDuring)) } }

    /// per_cpu/cpuN/stats as it was when all was read.
    var statistics: [Int: String] { state.withLock { $0.statistics } }

    private func currentStatistics(cpu: Int) -> String? {
        TextFile.optional("\(instance.folder)/per_cpu/cpu\(cpu)/stats")
    }

    /// Sums over all CPUs, now; for the status line.
    func counters() -> BufferCounters {
        cpus.reduce(into: BufferCounters()) { sum, cpu in
            if let text = currentStatistics(cpu: cpu) { sum.add(text) }
        }
    }
}

/// The counters of a buffer that somebody looks at, from per_cpu/cpuN/stats.
struct BufferCounters: Sendable {
    var entries = 0
    var read = 0
    var lost = 0
    var bytes = 0

    mutating func add(_ text: String) {
        for line in text.split(separator: "\n") {
            guard let colon = line.firstIndex(of: ":"),
                let value = Int(line[line.index(after: colon)...].drop { $0 == " " })
            else {
                continue
            }
            switch line[..<colon] {
            case "entries": entries += value
            case "read events": read += value
            case "overrun", "dropped events": lost += value
            case "bytes": bytes += value
            default: break
            }
        }
    }
}

// Options of a trace.dat file, trace-cmd.dat.v6(5) and trace-cmd.dat.v7(5): what was recorded, by which clock, with
// whom.

package import ClockSync
internal import LinuxSystem

/// A guest that was recorded together with this host (option GUEST).
package struct GuestOption: Sendable, Equatable {
    package var name: String
    package var traceID: UInt64
    /// Host thread id of each vCPU, by guest CPU; empty where the recorder did not find them.
    package var threadOfCPU: [Int: Int32]

    package init(name: String, traceID: UInt64, threadOfCPU: [Int: Int32]) {
        self.name = name
        self.traceID = traceID
        self.threadOfCPU = threadOfCPU
    }
}

/// Counters of one CPU's ring buffer at the end of the recording (option CPUSTAT, per_cpu/cpuN/stats).
package struct BufferStatistics: Sendable, Equatable {
    /// Name of the ftrace instance, empty for the top-level buffers.
    package var buffer: String
    package var cpu: Int
    package var overrun: Int
    package var dropped: Int
    /// The buffer's clock, when they were read.
    package var now: Reading?

    /// kernel/trace/trace.c, `tracing_stats_read`: clocks that count ns are printed in seconds, with a point.
    package enum Reading: Sendable, Equatable {
        case microseconds(UInt64)
        case ticks(UInt64)
    }
}

package struct TraceOptions: Sendable {
    /// Trace clock by its name in trace_clock (`x86-tsc`, `mono`, `local`, …); nil when the file does not say.
    package var clock: String?
    /// `uname` of the recorded machine: "Linux HOST RELEASE MACHINE".
    package var uname: String?
    package var cpuCount: Int?
    package var traceID: UInt64?
    package var guests: [GuestOption] = []
    package var tscToNanoseconds: CycleConversion?
    /// Trace id of the machine whose clock the time shifts lead to.
    package var peerTraceID: UInt64?
    /// TIME_SHIFT by guest CPU.
    package var timeShifts: [TimeShift] = []
    package var statistics: [BufferStatistics] = []
    /// The instance whose counters come next.
    private var statisticsBuffer = ""
    /// Fixed ns to add to every timestamp (option OFFSET).
    package var fixedOffset: Int64 = 0

    /// Kernel release out of `uname`.
    package var release: String? { word(2) }
    /// Host name out of `uname`.
    package var hostName: String? { word(1) }

    private func word(_ index: Int) -> String? {
        guard let words = uname?.split(separator: " "), words.count > index else { return nil }
        return String(words[index])
    }
}

extension TraceOptions {
    /// Ids of the options, the same in both versions.
    enum ID {
        static let done: UInt16 = 0
        static let cpuStat: UInt16 = 2
        static let buffer: UInt16 = 3
        static let traceClock: UInt16 = 4
        static let uname: UInt16 = 5
        static let offset: UInt16 = 7
        static let cpuCount: UInt16 = 8
        static let traceID: UInt16 = 11
        static let timeShift: UInt16 = 12
        static let guest: UInt16 = 13
        static let tscToNanoseconds: UInt16 = 14
        static let headerInfo: UInt16 = 16
        static let ftraceFormats: UInt16 = 17
        static let eventFormats: UInt16 = 18
        static let kernelSymbols: UInt16 = 19
        static let printFormats: UInt16 = 20
        static let commandLines: UInt16 = 21
        static let bufferText: UInt16 = 22
    }

    /// No machine has more CPUs than this; larger counts are corrupt.
    static let mostCPUs = 8192

    /// Takes in one option. Unknown ones are left alone, as the format demands.
    mutating func read(_ id: UInt16, _ data: inout ByteReader) throws(TraceFileError.Fault) {
        switch id {
        case ID.traceClock:
            // The whole trace_clock file; the clock in use stands in brackets.
            let text = Self.text(&data)
            if let open = text.firstIndex(of: "["), let close = text[open...].firstIndex(of: "]") {
                clock = String(text[text.index(after: open)..<close]).printable
            }
        case ID.uname: uname = Self.text(&data).printable
        case ID.cpuCount: cpuCount = Int(try data.u32())
        case ID.traceID: traceID = try data.u64()
        case ID.guest: guests.append(try Self.guest(&data))
        case ID.timeShift: try readTimeShift(&data)
        case ID.cpuStat: readStatistics(Self.text(&data))
        case ID.offset: fixedOffset = Int64(Self.text(&data)) ?? 0
        case ID.tscToNanoseconds:
            tscToNanoseconds = CycleConversion(
                multiplier: try data.u32(), shift: try data.u32(), offset: try data.u64())
            guard tscToNanoseconds!.shift < 64, tscToNanoseconds!.multiplier > 0 else {
                throw data.corrupt("a clock multiplier or shift that no counter has")
            }
        default: break
        }
    }

    private static func text(_ data: inout ByteReader) -> String {
        guard let bytes = unsafe try? data.take(data.remaining) else { return "" }
        return unsafe String(decoding: bytes.prefix { $0 != 0 }, as: UTF8.self)
    }

    private static func guest(_ data: inout ByteReader) throws(TraceFileError.Fault) -> GuestOption {
        var guest = GuestOption(name: try data.string(), traceID: try data.u64(), threadOfCPU: [:])
        let count = Int(try data.u32())
        guard count <= mostCPUs else { throw data.corrupt("a guest of \(count) CPUs") }
        for _ in 0..<count {
            let cpu = Int(try data.u32())
            // -1 stands for a thread that was not found.
            let thread = Int32(truncatingIfNeeded: try data.u32())
            if thread >= 0 { guest.threadOfCPU[cpu] = thread }
        }
        return guest
    }

    /// Peer id, flags, CPUs; per CPU a count with its times, offsets and scalings; then, which the manual omits, per
    /// CPU one word of 64 bits for each sample, the fraction bits of its scaling (trace-cmd since 3.0,
    /// `tracecmd_write_guest_time_shift`).
    private mutating func readTimeShift(_ data: inout ByteReader) throws(TraceFileError.Fault) {
        peerTraceID = try data.u64()
        let flags = try data.u32()
        let cpus = Int(try data.u32())
        guard cpus <= Self.mostCPUs else { throw data.corrupt("a time shift for \(cpus) CPUs") }
        var shifts: [TimeShift] = []
        for _ in 0..<cpus {
            let count = Int(try data.u32())
            guard count <= data.remaining / 24 else { throw data.truncated(count &* 24) }
            var samples = [TimeShiftSample](repeating: TimeShiftSample(time: 0, offset: 0, scaling: 1), count: count)
            for index in 0..<count { samples[index].time = try data.u64() }
            for index in 0..<count { samples[index].offset = try data.u64() }
            for index in 0..<count { samples[index].scaling = try data.u64() }
            shifts.append(TimeShift(interpolates: flags & 1 != 0, samples: samples, fractionBits: 0))
        }
        // A file that ends before has no fractions; one CPU's are the same for all of its samples.
        for index in shifts.indices where data.remaining >= 8 * shifts[index].samples.count {
            for sample in shifts[index].samples.indices {
                let bits = try data.u64()
                if sample == 0 { shifts[index].fractionBits = UInt32(clamping: bits) }
            }
        }
        timeShifts = shifts
    }

    /// "Buffer: NAME" before those of an instance; then of each CPU "CPU: 1\nentries: …\noverrun: 0\n…\nnow ts:
    /// 12.345678\ndropped events: 0\n…"
    private mutating func readStatistics(_ text: String) {
        var values: [Substring: Substring] = [:]
        for line in text.split(separator: "\n") {
            guard let colon = line.firstIndex(of: ":") else { continue }
            values[line[..<colon]] = line[line.index(after: colon)...].trimmingBlanks
        }
        func number(_ name: Substring) -> Int? { values[name].flatMap { Int($0.prefix { $0.isNumber }) } }
        if let name = values["Buffer"] { statisticsBuffer = String(name) }
        guard let cpu = number("CPU") else { return }
        statistics.append(
            BufferStatistics(
                buffer: statisticsBuffer, cpu: cpu, overrun: number("overrun") ?? 0,
                dropped: number("dropped events") ?? 0,
                now: values["now ts"].flatMap(Self.reading)))
    }

    private static func reading(_ text: Substring) -> BufferStatistics.Reading? {
        let parts = text.split(separator: ".", omittingEmptySubsequences: false)
        guard parts.count == 2 else { return UInt64(text).map { .ticks($0) } }
        guard parts[1].count == 6, let seconds = UInt64(parts[0]), let rest = UInt64(parts[1]), seconds < 1 << 40 else {
            return nil
        }
        return .microseconds(seconds * 1_000_000 + rest)
    }
}

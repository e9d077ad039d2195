// What a trace.dat file says besides its events, gathered from tracefs on the machine that was traced.

import Glibc
import LinuxSystem

extension MachineTrace {
    /// Formats, names and counters, after `finish`.
    func sections(kernelSymbols: Bool) throws(TracingFault) -> [TraceSection] {
        try TraceSection.gather(
            clocks: try instance.text("trace_clock"), events: enabled.map(\.event), statistics: statistics,
            kernelSymbols: kernelSymbols)
    }
}

extension TraceSection {
    /// Only the formats of events that were on are kept, and ftrace's own.
    /// - Parameters:
    ///   - clocks: the instance's trace_clock.
    ///   - statistics: per_cpu/cpuN/stats, by CPU.
    static func gather(
        clocks: String, events: [EventName], statistics: [Int: String], kernelSymbols: Bool
    ) throws(TracingFault) -> [TraceSection] {
        var sections = [
            TraceSection(kind: .headerPage, bytes: try bytes("events/header_page")),
            TraceSection(kind: .headerEvent, bytes: try bytes("events/header_event")),
            TraceSection(kind: .clocks, bytes: Array(clocks.utf8)),
        ]
        for name in ftraceEvents {
            if let bytes = try? bytes("events/ftrace/\(name)/format") {
                sections.append(TraceSection(kind: .format, name: "ftrace", bytes: bytes))
            }
        }
        for event in events {
            sections.append(
                TraceSection(kind: .format, name: event.system, bytes: try bytes("events/\(event.path)/format")))
        }
        sections.append(TraceSection(kind: .commandLines, bytes: Array(commandLines.utf8)))
        if let formats = try? bytes("printk_formats") {
            sections.append(TraceSection(kind: .printFormats, bytes: formats))
        }
        if kernelSymbols, let symbols = try? TextFile.bytes(of: "/proc/kallsyms", limit: 256 << 20) {
            sections.append(TraceSection(kind: .kernelSymbols, bytes: symbols))
        }
        for (cpu, text) in statistics.sorted(by: { $0.key < $1.key }) {
            sections.append(TraceSection(kind: .statistics, name: String(cpu), bytes: Array(text.utf8)))
        }
        return sections
    }

    private static func bytes(_ file: String) throws(TracingFault) -> [UInt8] {
        let path = try TraceFS.folder() + "/" + file
        do throws(SystemError) {
            return try TextFile.bytes(of: path)
        } catch {
            throw .unreadable(file: path, error)
        }
    }

    private static var ftraceEvents: [String] {
        guard let folder = try? TraceFS.folder() else { return [] }
        return ((try? Folder.names(in: folder + "/events/ftrace")) ?? []).filter {
            Folder.exists("\(folder)/events/ftrace/\($0)")
        }
    }

    /// Threads that live are in /proc; some that ended meanwhile are in saved_cmdlines.
    private static var commandLines: String {
        var names = ProcessEntry.allThreadNames()
        for line in ((try? TraceFS.text("saved_cmdlines")) ?? "").split(separator: "\n") {
            let parts = line.split(separator: " ", maxSplits: 1)
            if parts.count == 2, let thread = Int32(parts[0]), names[thread] == nil, parts[1] != "<...>" {
                names[thread] = String(parts[1])
            }
        }
        return names.sorted { $0.key < $1.key }.map { "\($0.key) \($0.value)\n" }.joined()
    }
}

extension TraceSection {
    /// The section in pieces that fit into messages.
    var pieces: [TraceSection] {
        guard bytes.count > Self.mostBytes else { return [self] }
        return stride(from: 0, to: bytes.count, by: Self.mostBytes).map {
            TraceSection(kind: kind, name: name, bytes: Array(bytes[$0..<min(bytes.count, $0 + Self.mostBytes)]))
        }
    }

    /// Formats are many of one name, each whole in its piece; the other kinds are joined.
    static func joined(_ pieces: [TraceSection]) -> [TraceSection] {
        var sections: [TraceSection] = []
        for piece in pieces {
            if let last = sections.last, last.kind == piece.kind, last.name == piece.name, piece.kind != .format {
                sections[sections.count - 1].bytes += piece.bytes
            } else {
                sections.append(piece)
            }
        }
        return sections
    }
}

/// uname(2), as trace.dat files have it.
struct SystemName: Sendable {
    var name: String
    var release: String
    var architecture: String

    static var own: SystemName {
        var names = utsname()
        unsafe uname(&names)
        func text<Field>(_ field: Field) -> String {
            unsafe withUnsafeBytes(of: field) { unsafe String(decoding: $0.prefix { $0 != 0 }, as: UTF8.self) }
        }
        return SystemName(name: text(names.nodename), release: text(names.release), architecture: text(names.machine))
    }

    var text: String { "Linux \(name) \(release) \(architecture)" }
}

// Takes a recording apart, so that it can be written again: by nothing but the manual's words, not by the reader's
// code.

import Glibc
import LinuxSystem
import TestSupport
import TraceData

/// An uncompressed copy of a version 7 file, its sections and options as they lie there.
struct RecordingParts {
    let file: TraceFile
    private let path: String
    private let bytes: MappedFile
    private var sections: [UInt16: [UInt8]] = [:]
    private var options: [UInt16: [[UInt8]]] = [:]

    /// The parts of a file that is uncompressed itself.
    init(uncompressed path: String) throws {
        self.path = path
        file = try TraceFile(path: path)
        bytes = try MappedFile(path: path)
        var next = Int(number(at: 24, 8))
        while next != 0 {
            var at = next + 16
            while true {
                let id = UInt16(number(at: at, 2))
                let data = self[at + 6, Int(number(at: at + 2, 4))]
                at += 6 + data.count
                if id == 0 {
                    next = Int(number(at: at - 8, 8))
                    break
                }
                options[id, default: []].append(data)
                guard id >= 16 && id <= 21 else { continue }
                let place = Int(number(at: at - 8, 8))
                sections[id] = self[place + 16, Int(number(at: place + 8, 8))]
            }
        }
    }

    /// The parts of a copy of `original`, which is gone when `body` has ended.
    static func of<Result>(_ original: String, _ body: (RecordingParts) throws -> Result) throws -> Result {
        let copy = temporaryPath("parts.dat")
        defer { unlink(copy) }
        try TraceCommand.run(["convert", "--compression", "none", "-i", original, "-o", copy])
        return try body(RecordingParts(uncompressed: copy))
    }

    private func number(at offset: Int, _ size: Int) -> UInt64 {
        (0..<size).reduce(0) { $0 | UInt64(bytes.bytes[offset + $1]) << UInt64(8 * $1) }
    }

    private subscript(offset: Int, count: Int) -> [UInt8] { Array(bytes.bytes[offset..<offset + count]) }

    /// A section, by the option that says where it is.
    func section(_ id: UInt16) -> [UInt8] { sections[id] ?? [] }

    /// The data of all options with that id.
    func options(_ id: UInt16) -> [[UInt8]] { options[id] ?? [] }

    /// The sub-buffers of each CPU, in the mapping.
    var pages: [Int: Data] {
        let cpus = file.buffers[0].cpus.map { ($0.cpu, Data(mapping: bytes, range: $0.range)) }
        return Dictionary(uniqueKeysWithValues: cpus)
    }

    /// The sub-buffers of one CPU.
    func bytes(_ cpu: Int) -> UnsafeRawBufferPointer {
        let range = file.buffers[0].cpus.first { $0.cpu == cpu }?.range ?? 0..<0
        return UnsafeRawBufferPointer(rebasing: bytes.bytes[range])
    }

    /// Bytes that are compared where they lie: there may be many.
    struct Data: Equatable {
        let mapping: MappedFile
        let range: Range<Int>

        static func == (one: Data, other: Data) -> Bool {
            one.range.count == other.range.count && !one.range.isEmpty
                && memcmp(
                    one.mapping.bytes.baseAddress! + one.range.lowerBound,
                    other.mapping.bytes.baseAddress! + other.range.lowerBound,
                    one.range.count) == 0
        }
    }

    private func texts(_ id: UInt16) -> [String] {
        options(id).map { String(decoding: $0.prefix { $0 != 0 }, as: UTF8.self) }
    }

    /// All that the file says, as the writer wants it.
    var description: TraceDescription {
        let header = section(16)
        let pageSize = header.withUnsafeBytes { Int($0.loadUnaligned(fromByteOffset: 12, as: UInt64.self)) }
        var description = TraceDescription(
            longSize: file.longSize, headerPage: Array(header[20..<20 + pageSize]),
            headerEvent: Array(header[(20 + pageSize + 21)...]),
            formats: file.formats, cpuCount: file.options.cpuCount ?? 0, clock: file.options.clock ?? "",
            traceID: file.options.traceID ?? 0)
        description.kernelSymbols = Array(section(19).dropFirst(4))
        description.printFormats = Array(section(20).dropFirst(4))
        let lines = String(decoding: section(21).dropFirst(8), as: UTF8.self).split(separator: "\n")
        description.commandLines = lines.map { line in
            let parts = line.split(separator: " ", maxSplits: 1)
            return (Int32(parts[0])!, String(parts[1]))
        }
        description.uname = file.options.uname ?? ""
        description.clockText = texts(4).first ?? ""
        description.statistics = texts(2)
        description.tscToNanoseconds = file.options.tscToNanoseconds
        description.guests = file.options.guests
        description.peerTraceID = file.options.peerTraceID
        description.timeShifts = file.options.timeShifts
        return description
    }

    /// Writes it again.
    /// - Parameter isCopied: the system copies the events from file to file; otherwise they are given to the writer as
    ///   bytes.
    func write(to target: String, isCopied: Bool) throws {
        let output = try OpenFile(target, O_RDWR | O_CREAT | O_EXCL)
        let input = try OpenFile(path, O_RDONLY)
        let buffer = file.buffers[0]
        var writer = try TraceFileWriter(descriptor: output.descriptor, pageSize: buffer.pageSize)
        for cpu in buffer.cpus {
            writer.beginCPU(cpu.cpu)
            if isCopied {
                lseek(input.descriptor, cpu.range.lowerBound, SEEK_SET)
                try writer.append(from: input.descriptor, count: cpu.range.count)
            } else {
                try writer.append(UnsafeRawBufferPointer(rebasing: bytes.bytes[cpu.range]))
            }
        }
        try writer.finish(description)
    }
}

/// A descriptor that is closed in the end.
final class OpenFile {
    let descriptor: Int32

    init(_ path: String, _ flags: Int32) throws {
        descriptor = open(path, flags | O_CLOEXEC, 0o600)
        guard descriptor >= 0 else { throw SystemError(call: "open") }
    }

    deinit { close(descriptor) }
}

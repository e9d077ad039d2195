// A trace.dat of version 7 in memory, to be damaged in one place; the layout is that of trace-cmd.dat.v7(5).

import Foundation
import Testing

struct RecordedFile: Sendable {
    /// One option of an uncompressed OPTIONS section.
    struct Option: Sendable {
        var id: UInt16
        /// Byte of the id.
        var place: Int
        var data: Range<Int>
    }

    private(set) var bytes: [UInt8]
    private(set) var options: [Option] = []
    /// Byte of the header behind the compression's name and version: the first OPTIONS section's place.
    private(set) var headerEnd = 0

    init(_ path: String) throws {
        bytes = [UInt8](try Data(contentsOf: URL(fileURLWithPath: path)))
        try #require(
            bytes.starts(with: [0x17, 0x08, 0x44] + Array("tracing7\0".utf8)), "\(path) is no trace.dat of version 7")
        // Byte order, size of a long, page size; two strings.
        headerEnd = 18
        for _ in 0..<2 { headerEnd = try #require(bytes[headerEnd...].firstIndex(of: 0)) + 1 }
        var section = number(at: headerEnd, bytes: 8)
        while section != 0 {
            try #require(
                number(at: section, bytes: 2) == 0 && number(at: section + 2, bytes: 2) & 1 == 0,
                "options are compressed")
            var place = section + 16
            section = 0
            while section == 0 {
                let id = UInt16(number(at: place, bytes: 2))
                let size = number(at: place + 2, bytes: 4)
                options.append(Option(id: id, place: place, data: place + 6..<place + 6 + size))
                guard id != 0 else { break }
                place += 6 + size
            }
            section = number(at: place + 6, bytes: 8)
        }
    }

    /// A copy without compression, made by trace-cmd.
    static func uncompressed(_ path: String) async throws -> RecordedFile {
        let folder = try TemporaryFolder()
        defer { folder.remove() }
        try await convert(path, to: folder.path("plain.dat"), "--compression", "none")
        return try RecordedFile(folder.path("plain.dat"))
    }

    /// Converts with trace-cmd.
    static func convert(_ path: String, to target: String, _ how: String, _ value: String) async throws {
        let run = try await Command.tool(
            "trace-cmd", package: "trace-cmd", "convert", "-i", path, how, value, "-o", target)
        try #require(run.status == 0, "trace-cmd convert fails: \(run.errors)")
    }

    func number(at place: Int, bytes count: Int) -> Int {
        (0..<count).reversed().reduce(0) { $0 << 8 | Int(bytes[place + $1]) }
    }

    mutating func set(_ value: Int, at place: Int, bytes count: Int) {
        for index in 0..<count { bytes[place + index] = UInt8(truncatingIfNeeded: value >> (8 * index)) }
    }

    /// Gives the options of an id another one.
    mutating func renumber(_ id: UInt16, to other: UInt16) throws {
        let places = options.filter { $0.id == id }.map(\.place)
        try #require(!places.isEmpty, "there is no option \(id)")
        for place in places { set(Int(other), at: place, bytes: 2) }
    }

    /// Adds cycles to every offset of TIME_SHIFT (option 12): peer, flags, CPUs; for each CPU a count, times, offsets,
    /// scalings.
    mutating func shiftClock(cycles: Int) throws {
        let shift = try #require(options.first { $0.id == 12 }, "there is no TIME_SHIFT")
        var place = shift.data.lowerBound + 16
        for _ in 0..<number(at: shift.data.lowerBound + 12, bytes: 4) {
            let count = number(at: place, bytes: 4)
            for sample in 0..<count {
                let offset = place + 4 + 8 * (count + sample)
                set(number(at: offset, bytes: 8) &+ cycles, at: offset, bytes: 8)
            }
            place += 4 + 24 * count
        }
        try #require(place <= shift.data.upperBound)
    }

    /// Puts a sub-buffer of a CPU at another time; the file has to be an uncompressed one.
    mutating func stamp(cpu: Int, subBuffer: Int, _ time: UInt64) throws {
        // Option BUFFER: the section's place, two strings, size of a sub-buffer, CPUs; each CPU's number, place, size.
        let buffer = try #require(options.first { $0.id == 3 }, "there is no BUFFER")
        var place = buffer.data.lowerBound + 8
        for _ in 0..<2 { place = try #require(bytes[place...].firstIndex(of: 0)) + 1 }
        let size = number(at: place, bytes: 4)
        try #require(cpu < number(at: place + 4, bytes: 4), "there is no CPU \(cpu)")
        place += 8 + 20 * cpu
        try #require((subBuffer + 1) * size <= number(at: place + 12, bytes: 8), "there is no sub-buffer \(subBuffer)")
        set(Int(truncatingIfNeeded: time), at: number(at: place + 4, bytes: 8) + subBuffer * size, bytes: 8)
    }

    /// Makes an event's format one that no kernel writes, without changing its length.
    mutating func spoil(formatOf event: String) throws {
        let data = Data(bytes)
        let name = try #require(data.range(of: Data("name: \(event)\n".utf8)), "there is no event \(event)")
        let type = Data("field:unsigned short common_type".utf8)
        let field = try #require(data.range(of: type, in: name.upperBound..<data.count))
        for place in field.lowerBound + 6..<field.lowerBound + 14 { bytes[place] = UInt8(ascii: "[") }
    }

    /// Gives an event a name that no path asks for, of the same length, in its format.
    mutating func hide(event: String) throws {
        let name = Array("name: \(event)\n".utf8)
        let data = Data(bytes)
        let range = try #require(data.range(of: Data(name)), "there is no event \(event)")
        let middle = range.lowerBound + "name: ".utf8.count + event.utf8.count / 2
        bytes[middle] = UInt8(ascii: "X")
    }
}

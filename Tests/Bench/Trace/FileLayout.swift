// Where a version 7 file says where its parts are, trace-cmd.dat.v7(5); for files that TraceFile has accepted.

/// The places of all offsets and sizes that change with the amount of trace data.
struct FileLayout {
    /// Trace data of all CPUs, one after the other.
    private(set) var data = 0..<0

    /// What to add to a time of this machine to get its peer's (option TIME_SHIFT); whole cycles, it may wrap around.
    private(set) var timeShift: UInt64 = 0

    private let bytes: UnsafeRawBufferPointer
    /// Places of offsets of other sections.
    private var links: [Int] = []
    /// Place of the size of the section that holds the trace data.
    private var sectionSize = 0
    /// Place of each CPU's offset, with its size behind it.
    private var cpus: [Int] = []

    struct Patch {
        var place: Int
        var value: UInt64
    }

    private enum Option {
        static let done: UInt16 = 0
        static let buffer: UInt16 = 3
        static let timeShift: UInt16 = 12
        /// Options that are nothing but the offset of a section: headers, formats, symbols, command lines.
        static let sections: ClosedRange<UInt16> = 16...21
    }

    init(_ bytes: UnsafeRawBufferPointer) {
        self.bytes = bytes
        // Magic, version, byte order, size of a long, size of a page; compressor and its version.
        var place = 10 + 2 + 1 + 1 + 4
        for _ in 0..<2 { place = endOfString(place) }
        links.append(place)
        var next = Int(number(place, UInt64.self))
        while next != 0 { next = readOptions(next + 16) }
    }

    private func number<T: FixedWidthInteger & BitwiseCopyable>(_ place: Int, _: T.Type) -> T {
        T(littleEndian: bytes.loadUnaligned(fromByteOffset: place, as: T.self))
    }

    private func endOfString(_ place: Int) -> Int { bytes[place...].firstIndex(of: 0)! + 1 }

    /// Returns the offset of the next section of options, 0 at the last.
    private mutating func readOptions(_ start: Int) -> Int {
        var place = start
        while true {
            let id = number(place, UInt16.self)
            let size = Int(number(place + 2, UInt32.self))
            place += 6
            switch id {
            case Option.done:
                links.append(place)
                return Int(number(place, UInt64.self))
            case Option.buffer: readBuffer(place)
            case Option.timeShift:
                // Peer, flags, CPUs; of the first CPU a count, its times, and its offsets.
                timeShift = number(place + 20 + 8 * Int(number(place + 16, UInt32.self)), UInt64.self)
            case Option.sections: links.append(place)
            default: break
            }
            place += size
        }
    }

    private mutating func readBuffer(_ start: Int) {
        sectionSize = Int(number(start, UInt64.self)) + 8
        // Name of the instance and its clock, size of a sub-buffer; then the CPUs, each a number, an offset and a size.
        let count = endOfString(endOfString(start + 8)) + 4
        cpus = (0..<Int(number(count, UInt32.self))).map { count + 4 + $0 * 20 + 4 }
        let ranges = cpus.map { place in
            let offset = Int(number(place, UInt64.self))
            return offset..<offset + Int(number(place + 8, UInt64.self))
        }
        data = (ranges.map(\.lowerBound).min() ?? 0)..<(ranges.map(\.upperBound).max() ?? 0)
    }

    /// What to write where, when each CPU's data have a new size. Sizes are whole sub-buffers, so all offsets stay
    /// aligned.
    func patches(cpuSizes: [Int]) -> [Patch] {
        let growth = UInt64(bitPattern: Int64(cpuSizes.reduce(0, +) - data.count))
        var patches = [Patch(place: sectionSize, value: number(sectionSize, UInt64.self) &+ growth)]
        for place in links {
            let offset = number(place, UInt64.self)
            if offset >= data.upperBound { patches.append(Patch(place: place, value: offset &+ growth)) }
        }
        var offset = data.lowerBound
        for (place, size) in zip(cpus, cpuSizes) {
            patches.append(Patch(place: place, value: UInt64(offset)))
            patches.append(Patch(place: place + 8, value: UInt64(size)))
            offset += size
        }
        return patches
    }
}

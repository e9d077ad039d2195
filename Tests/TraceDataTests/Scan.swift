// How the tests read a trace: through the same stream as the analysis.

import ClockSync
import TraceData

/// All marks of some files, and what was found beside them.
struct Scan {
    var marks: [Mark] = []
    var lanes: [Lane] = []
    var counts: [LaneCounts] = []
    var missing: [[String]] = []
    private var names: NameTable

    /// Reads `sources` to their end.
    init(_ sources: [StreamSource], workers: Int = 2) throws {
        let stream = try MarkStream(sources, workers: workers)
        let block = UnsafeMutableBufferPointer<Mark>.allocate(capacity: 1024)
        defer { block.deallocate() }
        while true {
            let count = stream.next(into: block)
            if count == 0 { break }
            marks += block[..<count]
        }
        lanes = stream.lanes
        counts = stream.counts
        missing = stream.missing
        names = stream.names
    }

    /// Reads one file; times are raw ones unless it converts cycles, or a map is given.
    init(_ file: TraceFile, _ queries: [EventQuery], map: ClockMap? = nil) throws {
        try self.init([
            StreamSource(file: file, selection: Selection(queries), maps: [map ?? .host(file.options.tscToNanoseconds)])
        ])
    }

    func name(_ id: UInt64) -> String { names.name(UInt16(id)) }

    /// Marks that events made.
    var events: [Mark] { marks.filter { $0.kind < Mark.Reserved.lostBegin } }
    func marks(lane: Int) -> [Mark] { marks.filter { $0.lane == lane } }
    func marks(kind: UInt8) -> [Mark] { marks.filter { $0.kind == kind } }

    /// Kinds and counts of the defects of all lanes.
    var defects: [TraceDefect.Kind: Int] {
        counts.flatMap(\.defects).reduce(into: [:]) { $0[$1.kind, default: 0] += $1.count }
    }
}

extension [Mark] {
    var times: [Nanoseconds] { map(\.time) }
    var kinds: [UInt8] { map(\.kind) }
    var a: [UInt64] { map(\.a) }
    var b: [UInt64] { map(\.b) }
}

// Compressed files hold the same trace.

import TestSupport
import Testing
import TraceData

@Suite struct CompressionTests {
    private static let numbers = [EventQuery("number", kind: 1, [.number("n", to: .a)])]

    private static func trace(_ packing: TraceBuilder.Packing, events: Int, pageSize: Int = 1024) -> TraceBuilder {
        let trace = TraceBuilder(packing: packing, pageSize: pageSize)
        let number = trace.event("test", "number", [.u32("n")])
        for cpu in 0..<2 {
            for n in 0..<events {
                trace.cpu(cpu).add(number, at: UInt64(1000 + 2 * n + cpu), pid: 5, ["n": .of(2 * n + cpu)])
            }
        }
        trace.commandLines = [5: "ping"]
        return trace
    }

    /// Whether this is one sub-buffer of 1024 bytes that begins at `time`.
    private static func isPage(_ body: [UInt8], at time: UInt64) -> Bool {
        body.count == 1024 && body.starts(with: time.littleEndianBytes)
    }

    @Test(arguments: [TraceBuilder.Packing.zlib, .zstd], [1, 2, 10, 1000])
    func `compressed chunks of any number of sub-buffers hold the same marks`(
        packing: TraceBuilder.Packing, pagesPerChunk: Int
    ) throws {
        let trace = Self.trace(packing, events: 1500)
        trace.pagesPerChunk = pagesPerChunk
        let file = try trace.open()
        let scan = try Scan(file, Self.numbers)
        #expect(scan.events.a == (0..<3000).map { UInt64($0) })
        #expect(scan.events.times == (0..<3000).map { Int64(1000 + $0) })
        #expect(scan.defects.isEmpty)
        #expect(file.commandLines == [5: "ping"])
        #expect(file.buffers[0].cpus.map(\.isChunked) == [true, true])
    }

    /// One sub-buffer of `trace(.zlib, events: 40)`, compressed by zlib itself: with real back references and Huffman
    /// codes.
    private static let deflated: [UInt8] = hexadecimal(
        """
        78daedc7b711c2001000c19784f0de7b01c2241449b994c18012660b20e2929b7d66f1e991567ff39e44e415a3fc7282539ce11ace711d37
        7013b7701b777017f7701f0ff0108ff0184ff014cff01c2ff012aff01a6ff016eff01e17f8808ff8844b7cc6177cc5b7f8f7eb5e08e311a2
        """)

    @Test func `what zlib compressed is decompressed`() throws {
        let trace = TraceBuilder(packing: .zlib, pageSize: 1024)
        let number = trace.event("test", "number", [.u32("n")])
        for n in 0..<40 { trace.cpu(0).add(number, at: UInt64(1000 + n), pid: 5, ["n": .of(n)]) }
        var replaced = 0
        trace.compress = { body in
            guard Self.isPage(body, at: 1000) else { return nil }
            replaced += 1
            return Self.deflated
        }
        let scan = try Scan(trace.open(), Self.numbers)
        #expect(replaced == 1)
        #expect(scan.events.a == (0..<40).map { UInt64($0) })
        #expect(scan.events.times == (0..<40).map { Int64(1000 + $0) })
        #expect(scan.defects.isEmpty)
    }

    @Test(arguments: [TraceBuilder.Packing.zlib, .zstd])
    func `a chunk that does not decompress is a hole, the next one is read`(packing: TraceBuilder.Packing) throws {
        let trace = TraceBuilder(packing: packing, pageSize: 1024)
        let number = trace.event("test", "number", [.u32("n")])
        for n in 0..<3 {
            trace.cpu(0).page(at: UInt64(1000 * (n + 1)))
            trace.cpu(0).add(number, at: UInt64(1000 * (n + 1)), ["n": .of(n)])
        }
        trace.pagesPerChunk = 1
        // The middle one of three.
        trace.compress = { body in Self.isPage(body, at: 2000) ? [1, 2, 3, 4, 5, 6, 7, 8] : nil }
        let scan = try Scan(trace.open(), Self.numbers)
        #expect(scan.events.a == [0, 2])
        #expect(
            scan.marks.kinds == [
                Mark.Reserved.laneBegin, 1, Mark.Reserved.lostBegin, Mark.Reserved.lostEnd, 1, Mark.Reserved.laneEnd,
            ])
        #expect(scan.defects == [.chunk: 1])
        #expect(scan.counts[0].holes == 1)
    }

    @Test(arguments: [TraceBuilder.Packing.zlib, .zstd])
    func `a last chunk that does not decompress is a hole that nothing closes`(packing: TraceBuilder.Packing) throws {
        let trace = Self.trace(packing, events: 10)
        trace.cpu(0).page(at: 9000)
        trace.pagesPerChunk = 1
        trace.compress = { body in Self.isPage(body, at: 9000) ? [0] : nil }
        let scan = try Scan(trace.open(), Self.numbers)
        #expect(scan.marks(lane: 0).kinds.suffix(2) == [Mark.Reserved.lostBegin, Mark.Reserved.laneEnd])
        #expect(scan.defects == [.chunk: 1])
        #expect(scan.events.count == 20)
    }

    @Test(arguments: [TraceBuilder.Packing.zlib, .zstd])
    func `a section that does not decompress is corrupt and named`(packing: TraceBuilder.Packing) throws {
        let trace = Self.trace(packing, events: 1)
        trace.compress = { body in body.starts(with: Array("header_page".utf8)) ? [1, 2, 3] : nil }
        guard case .corrupt("headers", _, _)? = fault(of: trace) else {
            Issue.record("read headers out of three bytes")
            return
        }
    }

    @Test(arguments: [TraceBuilder.Packing.zlib, .zstd])
    func `a stream longer or shorter than its size says is not believed`(packing: TraceBuilder.Packing) throws {
        for change in [-1, 1] {
            let trace = Self.trace(packing, events: 1)
            // Sections are decompressed when the file is opened, so that is where it ends.
            let other = TraceBuilder(packing: packing)
            trace.compress = { body in
                guard body.starts(with: Array("header_page".utf8)) else { return nil }
                return other.stored(change < 0 ? Array(body.dropLast()) : body + [0])
            }
            guard case .corrupt("headers", _, _)? = fault(of: trace) else {
                Issue.record("a stream of \(change) bytes too many was read")
                continue
            }
        }
    }

    @Test func `a count of chunks larger than the data ends with the data`() throws {
        let trace = Self.trace(.zstd, events: 10)
        let start = try trace.open().buffers[0].cpus[0].range.lowerBound
        for count: UInt32 in [2, 1000, .max] {
            var bytes = trace.bytes
            bytes.set(count, at: start)
            let scan = try Scan(bytes.openAsTrace(), Self.numbers)
            #expect(scan.events.count == 20)
            #expect(scan.defects == [.chunk: 1])
        }
    }

    @Test func `sizes of chunks that can't be are a defect, not an allocation`() throws {
        let trace = Self.trace(.zstd, events: 10)
        let start = try trace.open().buffers[0].cpus[0].range.lowerBound
        for (place, value) in [(4, UInt32.max), (8, UInt32.max), (4, 0), (8, 0)] {
            var bytes = trace.bytes
            bytes.set(value, at: start + place)
            let scan = try Scan(bytes.openAsTrace(), Self.numbers)
            // The other CPU's events.
            #expect(scan.events.count == 10)
            #expect(scan.defects == [.chunk: 1])
        }
    }
}

/// Bytes out of pairs of hexadecimal digits; blanks and line ends don't matter.
func hexadecimal(_ text: String) -> [UInt8] {
    let digits = text.compactMap(\.hexDigitValue)
    return stride(from: 0, to: digits.count - 1, by: 2).map { UInt8(digits[$0] << 4 | digits[$0 + 1]) }
}

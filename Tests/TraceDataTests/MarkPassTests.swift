// One loop for all who read marks: nobody misses one, and nobody gets them in another order.

import ClockSync
import TestSupport
import Testing
import TraceData

@Suite struct MarkPassTests {
    /// Keeps what it is given.
    private final class Keeper: MarkReader {
        private(set) var marks: [Mark] = []
        private(set) var batches: [Int] = []
        /// Who was called, in order.
        private let calls: Calls?
        private let name: String

        init(_ name: String = "", _ calls: Calls? = nil) {
            self.name = name
            self.calls = calls
        }

        func take(_ batch: Span<Mark>) {
            calls?.names.append(name)
            batches.append(batch.count)
            for index in batch.indices { marks.append(batch[index]) }
        }
    }

    private final class Calls { var names: [String] = [] }

    /// Two CPUs with so many events each.
    private func source(_ count: Int) throws -> StreamSource {
        let trace = TraceBuilder()
        let number = trace.event("test", "number", [.u32("n")])
        for cpu in 0..<2 {
            for index in 0..<count { trace.cpu(cpu).add(number, at: UInt64(1000 + 3 * index + cpu), ["n": .of(index)]) }
        }
        let selection = Selection([EventQuery("number", kind: 1, [.number("n", to: .a)])])
        return StreamSource(file: try trace.open(), selection: selection, maps: [.host(nil)])
    }

    @Test func `each of several readers gets every mark, in the order of the stream`() throws {
        let calls = Calls()
        let (first, second) = (Keeper("first", calls), Keeper("second", calls))
        try MarkPass([try source(5000)]).run([first, second])
        let scan = try Scan([try source(5000)])
        #expect(first.marks.count == 10_004)
        #expect(first.marks.times == scan.marks.times && first.marks.a == scan.marks.a)
        #expect(first.marks.kinds == scan.marks.kinds)
        #expect(second.marks.times == first.marks.times && second.batches == first.batches)
        #expect(first.batches.allSatisfy { (1...4096).contains($0) })
        #expect(calls.names == first.batches.flatMap { _ in ["first", "second"] })
    }

    @Test func `progress is told in bytes that never shrink, and counts are whole at the end`() throws {
        let pass = try MarkPass([try source(100_000)])
        var bytes: [Int] = []
        try pass.run([]) { bytes.append($0) }
        #expect(!bytes.isEmpty && bytes == bytes.sorted())
        #expect(pass.stream.counts.map(\.events) == [100_000, 100_000])
        #expect((bytes.last ?? .max) <= pass.stream.counts.reduce(0) { $0 + $1.bytes })
    }

    @Test func `a pass over nothing calls nobody`() throws {
        let reader = Keeper()
        try MarkPass([]).run([reader])
        #expect(reader.batches.isEmpty)
    }
}

// Whatever a file spells, reading it takes no more than its bytes are worth; and libtraceevent is shown nothing but
// fields.

import TestSupport
import Testing
import TraceData

@Suite struct BudgetTests {
    // MARK: Formats

    private static let head = """
        name: packet
        ID: 300
        format:
        \tfield:unsigned short common_type;\toffset:0;\tsize:2;\tsigned:0;
        \tfield:unsigned char common_flags;\toffset:2;\tsize:1;\tsigned:0;
        \tfield:unsigned char common_preempt_count;\toffset:3;\tsize:1;\tsigned:0;
        \tfield:int common_pid;\toffset:4;\tsize:4;\tsigned:1;


        """

    private static func formats(_ text: String) -> EventFormats {
        EventFormats([FormatText(system: "test", text: text)], longSize: 8)
    }

    private static let own = "\tfield:void * skbaddr;\toffset:8;\tsize:8;\tsigned:0;\n"

    /// Expressions that libtraceevent takes apart by recursion: with a blank before the name, and without the line that
    /// ends the fields.
    @Test(arguments: ["\n print fmt: \"%d\", ", "\nprint fmt: \"%d\", ", "\n\n\tprint fmt: "])
    func `a print format is not looked at, however deep it is`(start: String) {
        let deep = String(repeating: "(", count: 200_000) + "1" + String(repeating: ")", count: 200_000)
        let found = Self.formats(Self.head + Self.own + start + deep + "\n")
        #expect(found["packet"]?.fields.map(\.name) == ["skbaddr"])
    }

    private static let hostile: [(what: String, field: String)] = [
        (
            "a type of many words",
            "\tfield:" + String(repeating: "a ", count: 400_000) + "b;\toffset:8;\tsize:8;\tsigned:0;\n"
        ),
        (
            "many brackets",
            "\tfield:char x" + String(repeating: "[", count: 200_000) + ";\toffset:8;\tsize:8;\tsigned:0;\n"
        ),
        ("few too many brackets", "\tfield:char x[[[[[;\toffset:8;\tsize:8;\tsigned:0;\n"),
        ("many fields", String(repeating: own, count: 300)),
        ("an offset that is no number", "\tfield:int x;\toffset:(8);\tsize:8;\tsigned:0;\n"),
        ("no offset", "\tfield:int x;\n"),
        ("a control character", "\tfield:int \u{1b}x;\toffset:8;\tsize:4;\tsigned:0;\n"),
        ("more on the line", "\tfield:int x;\toffset:8;\tsize:4;\tsigned:0;\tprint fmt: ((;\n"),
    ]

    @Test(arguments: hostile.indices)
    func `a format of another shape than a kernel's is refused`(index: Int) {
        let found = Self.formats(Self.head + Self.hostile[index].field + "\nprint fmt: \"\"\n")
        #expect(found["packet"] == nil, "\(Self.hostile[index].what)")
        #expect(found.refused == ["packet"], "\(Self.hostile[index].what)")
    }

    @Test(arguments: [
        "", "name:", "name: \nID: 1\nformat:", String(repeating: "n", count: 1 << 20), "ID: 1\nname: x\nformat:\n",
    ])
    func `a text that is no format is refused, and its name is short`(text: String) {
        let found = Self.formats(text)
        #expect(found.all.isEmpty)
        #expect(found.refused.count == 1 && found.refused[0].utf8.count <= 256)
    }

    // MARK: Sections and events

    /// RFC 8878: a frame of blocks of type 1, each one byte and how often it comes.
    private static func repeated(_ byte: UInt8, _ count: Int) -> [UInt8] {
        var stream: [UInt8] = [0x28, 0xb5, 0x2f, 0xfd, 0xa0]
        stream += (0..<4).map { UInt8(truncatingIfNeeded: count >> (8 * $0)) }
        var left = count
        repeat {
            let size = min(left, 1 << 16)
            left -= size
            let header = UInt32(size) << 3 | 1 << 1 | (left == 0 ? 1 : 0)
            stream += [
                UInt8(truncatingIfNeeded: header), UInt8(truncatingIfNeeded: header >> 8),
                UInt8(truncatingIfNeeded: header >> 16), byte,
            ]
        } while left > 0
        return stream
    }

    private static func trace(_ packing: TraceBuilder.Packing, pageSize: Int = 1024) -> TraceBuilder {
        let trace = TraceBuilder(packing: packing, pageSize: pageSize)
        let number = trace.event("test", "number", [.u32("n")])
        for cpu in 0..<2 {
            for n in 0..<100 { trace.cpu(cpu).add(number, at: UInt64(1000 + 2 * n + cpu), ["n": .of(n)]) }
        }
        return trace
    }

    private func corruption(_ trace: TraceBuilder) -> (section: String, fact: String)? {
        guard case .corrupt(let section, _, let fact)? = fault(of: trace) else { return nil }
        return (section, fact)
    }

    @Test func `a section of few bytes that would be many is corrupt, and not unfolded`() {
        let trace = Self.trace(.zstd)
        trace.commandLines = [5: String(repeating: "a", count: 8 << 20)]
        trace.compress = { body in body.count > 1 << 20 ? Self.repeated(0x61, body.count) : nil }
        #expect(corruption(trace)?.section == "command lines")
    }

    @Test func `all sections together have a bound`() {
        let trace = Self.trace(.none)
        trace.commandLines = [5: String(repeating: "a", count: 65 << 20)]
        #expect(corruption(trace)?.fact.hasPrefix("more than 64 MiB of sections") == true)
    }

    @Test func `a chunk of few bytes that would be many is a defect, and not unfolded`() throws {
        let trace = Self.trace(.zstd, pageSize: 1 << 20)
        for n in 0..<4 { trace.cpu(0).page(at: UInt64(10_000 + n)) }
        trace.compress = { body in body.count >= 4 << 20 ? Self.repeated(0, body.count) : nil }
        let scan = try Scan(trace.open(), [EventQuery("number", kind: 1, [.number("n", to: .a)])])
        #expect(scan.defects == [.chunk: 1])
        // The other CPU's.
        #expect(scan.events.count == 100)
    }

    @Test(arguments: [TraceBuilder.Packing.none, .zstd])
    func `two CPUs that have the same bytes are corrupt`(packing: TraceBuilder.Packing) throws {
        let bytes = Self.trace(packing).bytes
        let cpus = try bytes.openAsTrace().buffers[0].cpus
        func word(_ number: Int) -> [UInt8] { (0..<8).map { UInt8(truncatingIfNeeded: number >> (8 * $0)) } }
        let place = try #require(bytes.firstRange(of: word(cpus[1].range.lowerBound) + word(cpus[1].range.count)))
        var shared = bytes
        shared.replaceSubrange(place, with: word(cpus[0].range.lowerBound) + word(cpus[0].range.count))
        #expect(throws: TraceFileError.self) { try shared.openAsTrace() }
        do throws(TraceFileError) {
            _ = try shared.openAsTrace()
        } catch {
            guard case .corrupt("data of CPU 1", _, let fact) = error.fault else {
                Issue.record("\(error.fault)")
                return
            }
            #expect(fact.contains("CPU 0"))
        }
    }

    @Test func `many instances of many CPUs are refused before their tables are read`() {
        let trace = TraceBuilder(version: .v6)
        let number = trace.event("test", "number", [.u32("n")])
        trace.cpu(8191).add(number, at: 1000, ["n": 1])
        for n in 0..<9 { trace.cpu(0, instance: "i\(n)").add(number, at: 1000, ["n": 1]) }
        #expect(corruption(trace)?.fact.contains("9 instances of 8192 CPUs") == true)
    }
}

// What the kernel's format files are understood as.

import TestSupport
import Testing
import TraceData

@Suite struct FormatTests {
    private static func format(_ fields: [BuiltField], printFormat: String = "\"\"") throws -> EventFormat? {
        let trace = TraceBuilder()
        trace.cpu(0).add(trace.event("test", "event", fields, printFormat: printFormat), at: 1)
        let file = try trace.open()
        return EventFormats(file.formats, longSize: file.longSize)["event"]
    }

    @Test func `fields have the place, width, sign and shape of their line`() throws {
        let format = try #require(
            try Self.format([
                .u8("a"), .s16("b"), .u32("c"), .s64("d"), .pointer("e"), .characters("f", 16), .string("g"),
                .relativeString("h"),
            ]))
        #expect(format.system == "test")
        #expect(format.id == 300)
        #expect(
            format.commonFields.map(\.name) == ["common_type", "common_flags", "common_preempt_count", "common_pid"])
        #expect(format.commonFields.map(\.offset) == [0, 2, 3, 4])
        #expect(format.fields.map(\.name) == ["a", "b", "c", "d", "e", "f", "g", "h"])
        #expect(format.fields.map(\.offset) == [8, 10, 12, 16, 24, 32, 48, 52])
        #expect(format.fields.map(\.size) == [1, 2, 4, 8, 8, 16, 4, 4])
        #expect(format.fields.map(\.isSigned) == [false, true, false, true, false, false, false, false])
        #expect(
            format.fields.map(\.shape) == [
                .number, .number, .number, .number, .number, .array, .dynamic, .relativeDynamic,
            ])
        #expect(format.fields.map(\.isString) == [false, false, false, false, false, true, true, true])
        #expect(format.field("common_pid")?.offset == 4)
        #expect(format.field("nothing") == nil)
    }

    @Test func `a print format that nobody understands does not cost the event its fields`() throws {
        let format = try Self.format(
            [.u32("n")], printFormat: "\"%s %d\", __print_no_such_thing(REC->n, ((((, { 1, REC->")
        #expect(format?.fields.map(\.name) == ["n"])
    }

    @Test(arguments: [
        "", "nonsense", "name: event\n", "name: event\nID: x\nformat:\n",
        "name: event\nID: 70000\nformat:\n\nprint fmt: \"\"\n",
        "name: event\nID: 300\nformat:\n\tfield:u32 n;\toffset:-5;\tsize:4;\tsigned:0;\n\nprint fmt: \"\"\n",
        "name: event\nID: 300\nformat:\n\tfield:u32 n;\toffset:8;\tsize:2000000000;\tsigned:0;\n\nprint fmt: \"\"\n",
        "name: event\nID: 300\nformat:\n\tfield:u32 n;\toffset:8;\tsize",
        "name: ev\u{7f}ent\nID: 300\nformat:\n\nprint fmt: \"\"\n",
    ])
    func `a format that can't be read leaves its event out and reports it, the others stay`(text: String) throws {
        let trace = TraceBuilder()
        let good = trace.event("test", "good", [.u32("n")])
        let bad = trace.event("test", "event", [.u32("n")])
        trace.replaceFormat(of: bad, with: text)
        trace.cpu(0).add(good, at: 1, ["n": 7])
        trace.cpu(0).add(bad, at: 2)
        let file = try trace.open()
        let formats = EventFormats(file.formats, longSize: 8)
        #expect(formats["good"] != nil)
        #expect(formats["event"]?.field("n") == nil)
        let scan = try Scan(
            file,
            [EventQuery("good", kind: 1, [.number("n", to: .a)]), EventQuery("event", kind: 2, [.number("n", to: .a)])])
        #expect(scan.events.a == [7])
        #expect(scan.missing == [["event"]])
    }

    @Test func `formats that are none are refused by their first line`() throws {
        let trace = TraceBuilder()
        for (index, text) in [
            "nonsense", "name: event\nID: 70000\nformat:\n\nprint fmt: \"\"\n", "name: ev\u{e9}nt\nID: 1\nformat:\n",
        ]
        .enumerated() {
            trace.replaceFormat(of: trace.event("test", "event\(index)"), with: text)
        }
        trace.event("test", "good")
        _ = trace.cpu(0)
        let formats = try EventFormats(trace.open().formats, longSize: 8)
        #expect(formats.refused == ["nonsense", "event", "ev\u{e9}nt"])
        #expect(formats.all.map(\.name) == ["good"])
    }

    @Test func `only the formats that are asked for are parsed`() throws {
        let trace = TraceBuilder()
        trace.event("test", "one")
        trace.event("test", "two")
        trace.event("ftrace", "function", [.u64("ip")])
        _ = trace.cpu(0)
        let file = try trace.open()
        #expect(Set(EventFormats(file.formats, longSize: 8).all.map(\.name)) == ["one", "two", "function"])
        #expect(EventFormats(file.formats, longSize: 8, only: ["two", "three"]).all.map(\.name) == ["two"])
        #expect(file.formats.first { $0.text.hasPrefix("name: function") }?.system == "ftrace")
    }

    @Test func `the names of a field's values come from its print format`() throws {
        let trace = TraceBuilder()
        trace.event(
            "skb", "kfree_skb", [.u32("reason"), .u32("other")],
            printFormat:
                "\"%s\", __print_symbolic(REC->reason, { 1, \"NOT_SPECIFIED\" }, { 0x2, \"NO_SOCKET\" }, { 70, \"TAP_FILTER\" })"
        )
        _ = trace.cpu(0)
        let file = try trace.open()
        #expect(
            file.symbols(event: "kfree_skb", field: "reason") == [1: "NOT_SPECIFIED", 2: "NO_SOCKET", 70: "TAP_FILTER"])
        #expect(file.symbols(event: "kfree_skb", field: "other").isEmpty)
        #expect(file.symbols(event: "consume_skb", field: "reason").isEmpty)
    }

    @Test func `the thread of an event is where that event's own format says`() throws {
        let trace = TraceBuilder()
        let odd = trace.event("test", "odd")
        let even = trace.event("test", "even", [.u32("n")])
        // A format that no kernel writes must not move the threads of all other events, out of the sub-buffer perhaps.
        trace.replaceFormat(
            of: odd,
            with: """
                name: odd
                ID: \(odd.id)
                format:
                \tfield:unsigned short common_type;\toffset:0;\tsize:2;\tsigned:0;
                \tfield:int common_pid;\toffset:2000;\tsize:4;\tsigned:1;

                print fmt: ""

                """)
        trace.cpu(0).add(even, at: 1, pid: 5, ["n": 1])
        trace.cpu(0).add(odd, at: 2, pid: 6)
        trace.cpu(0).add(even, at: 3, pid: 7, ["n": 2])
        let scan = try Scan(
            trace.open(), [EventQuery("odd", kind: 1), EventQuery("even", kind: 2, [.number("n", to: .a)])])
        #expect(scan.marks(kind: 2).a == [1, 2])
        #expect(scan.marks(kind: 2).map(\.thread) == [5, 7])
    }

    @Test func `a format that puts the thread a megabyte away does not end the program`() async {
        await #expect(processExitsWith: .success) {
            let trace = TraceBuilder()
            let far = trace.event("test", "far")
            let near = trace.event("test", "near")
            trace.replaceFormat(
                of: far,
                with:
                    "name: far\nID: \(far.id)\nformat:\n\tfield:int common_pid;\toffset:1000000;\tsize:4;\tsigned:1;\n\nprint fmt: \"\"\n"
            )
            for time: UInt64 in 1...100 { trace.cpu(0).add(near, at: time, pid: 5) }
            let scan = try Scan(trace.open(), [EventQuery("far", kind: 1), EventQuery("near", kind: 2)])
            precondition(scan.events.map(\.thread) == Array(repeating: 5, count: 100))
        }
    }

    @Test func `an event without the common fields is not read beyond its record`() throws {
        let trace = TraceBuilder()
        let bare = trace.event("test", "bare")
        trace.replaceFormat(
            of: bare,
            with: """
                name: bare
                ID: \(bare.id)
                format:
                \tfield:unsigned short common_type;\toffset:0;\tsize:2;\tsigned:0;

                print fmt: ""

                """)
        // Four bytes: no thread, no context. Behind it the head of another event.
        trace.cpu(0).add(bare, at: 1, size: 4)
        trace.cpu(0).add(bare, at: 2, pid: 5)
        let threads = try Scan(trace.open(), [EventQuery("bare", kind: 1)]).events.map(\.thread)
        #expect(threads.allSatisfy { $0 == 0 || $0 == 5 })
    }
}

// From fields to operands.

import ClockSync
import TestSupport
import Testing
import TraceData

@Suite struct ExtractionTests {
    /// The marks of `queries` in a trace of one event with one record.
    private func scan(_ fields: [BuiltField], _ values: [String: FieldValue], _ queries: EventQuery...) throws -> Scan {
        let trace = TraceBuilder()
        trace.cpu(0).add(trace.event("test", "event", fields), at: 1000, values)
        return try Scan(trace.open(), queries)
    }

    @Test func `unsigned fields of every width keep their bits`() throws {
        let fields: [BuiltField] = [.u8("a"), .u16("b"), .u32("c"), .u64("d"), .pointer("e")]
        let values: [String: FieldValue] = [
            "a": 0xff, "b": 0xffff, "c": 0xffff_ffff, "d": 0xffff_ffff_ffff_fffe, "e": 0xffff_8880_1234_5678,
        ]
        for (name, value): (String, UInt64) in [
            ("a", 0xff), ("b", 0xffff), ("c", 0xffff_ffff), ("d", 0xffff_ffff_ffff_fffe), ("e", 0xffff_8880_1234_5678),
        ] {
            #expect(try scan(fields, values, EventQuery("event", kind: 1, [.number(name, to: .a)])).events.a == [value])
        }
    }

    @Test func `signed fields of every width are extended to 64 bits`() throws {
        let fields: [BuiltField] = [.s8("a"), .s16("b"), .s32("c"), .s64("d")]
        for value: Int64 in [-1, -128, 127, 0, -2] {
            let values: [String: FieldValue] = ["a": .of(value), "b": .of(value), "c": .of(value), "d": .of(value)]
            for name in ["a", "b", "c", "d"] {
                let scan = try scan(fields, values, EventQuery("event", kind: 1, [.number(name, to: .b)]))
                #expect(scan.events.b == [UInt64(bitPattern: value)])
                #expect(scan.events.a == [0])
            }
        }
    }

    @Test func `fields lie where the format says, aligned or not`() throws {
        let fields: [BuiltField] = [.u16("a", at: 31), .u32("b", at: 9), .u64("c", at: 17), .u8("d", at: 40)]
        let values: [String: FieldValue] = ["a": 0x1234, "b": 0x5678_9abc, "c": 0x1122_3344_5566_7788, "d": 0x99]
        for (name, value): (String, UInt64) in [
            ("a", 0x1234), ("b", 0x5678_9abc), ("c", 0x1122_3344_5566_7788), ("d", 0x99),
        ] {
            #expect(try scan(fields, values, EventQuery("event", kind: 1, [.number(name, to: .a)])).events.a == [value])
        }
    }

    @Test func `several fields share an operand by shift and width`() throws {
        let scan = try scan(
            [.u32("len"), .s32("rc"), .u16("queue"), .u64("wide")],
            ["len": 0x1_2345, "rc": -2, "queue": 0xabcd, "wide": 0xffff_ffff_ffff_ffff],
            EventQuery(
                "event", kind: 1,
                [
                    .number("len", to: .a, width: 16), .number("rc", to: .a, shift: 16, width: 32),
                    .number("queue", to: .a, shift: 48, width: 16),
                    .number("wide", to: .b, shift: 8, width: 4), .number("queue", to: .b, shift: 32),
                ]))
        #expect(scan.events.a == [0xabcd_ffff_fffe_2345])
        #expect(scan.events.b == [0xabcd_0000_0f00])
    }

    @Test func `a mark knows the thread and the context of its event`() throws {
        let trace = TraceBuilder()
        let event = trace.event("test", "event")
        trace.cpu(0).add(event, at: 1, pid: 0, flags: 0x08)
        trace.cpu(0).add(event, at: 2, pid: 4_194_303, flags: 0x10, preemptCount: 1)
        trace.cpu(0).add(event, at: 3, pid: -1, flags: 0x01)
        let marks = try Scan(trace.open(), [EventQuery("event", kind: 1, [.number("common_preempt_count", to: .a)])])
            .events
        #expect(marks.map(\.thread) == [0, 4_194_303, -1])
        #expect(marks.map(\.flags) == [0x08, 0x10, 0x01])
        #expect(marks.map(\.inHardIRQ) == [true, false, false])
        #expect(marks.map(\.inSoftIRQ) == [false, true, false])
        #expect(marks.map(\.inThread) == [false, false, true])
        #expect(marks.a == [0, 1, 0])
    }

    @Test func `only events whose field equals the value become marks`() throws {
        let trace = TraceBuilder()
        let event = trace.event("irq", "softirq_raise", [.u32("vec"), .s8("level")])
        for vec in 0..<10 { trace.cpu(0).add(event, at: UInt64(vec), ["vec": .of(vec), "level": -1]) }
        let file = try trace.open()
        #expect(try Scan(file, [EventQuery("softirq_raise", kind: 1, where: .equals("vec", 3))]).events.times == [3])
        #expect(try Scan(file, [EventQuery("softirq_raise", kind: 1, where: .equals("vec", 11))]).events.isEmpty)
        // Signed numbers are extended before they are compared.
        let minusOne = UInt64(bitPattern: -1)
        #expect(
            try Scan(file, [EventQuery("softirq_raise", kind: 1, where: .equals("level", minusOne))]).events.count == 10
        )
        #expect(try Scan(file, [EventQuery("softirq_raise", kind: 1, where: .equals("level", 0xff))]).events.isEmpty)
    }

    @Test func `only events whose field is below the value become marks, negative ones are not`() throws {
        let trace = TraceBuilder()
        let event = trace.event("net", "napi_gro_receive_exit", [.s32("ret")])
        for ret in -2..<6 { trace.cpu(0).add(event, at: UInt64(ret + 2), ["ret": .of(ret)]) }
        let query = EventQuery("napi_gro_receive_exit", kind: 1, [.number("ret", to: .a)], where: .below("ret", 2))
        #expect(try Scan(trace.open(), [query]).events.a == [0, 1])
    }

    @Test func `an event left out by its condition is no defect and ends nothing`() throws {
        let trace = TraceBuilder()
        let event = trace.event("irq", "softirq_raise", [.u32("vec")])
        for index in 0..<1000 { trace.cpu(0).add(event, at: UInt64(index), ["vec": .of(index % 2)]) }
        let scan = try Scan(trace.open(), [EventQuery("softirq_raise", kind: 1, where: .equals("vec", 1))])
        #expect(scan.events.count == 500)
        #expect(scan.counts[0].events == 1000)
        #expect(scan.defects.isEmpty)
    }

    @Test(arguments: [("exit_reason", 8), ("ret", 24)])
    func `a field that the kernel renamed or moved is found by any of its names`(name: String, offset: Int) throws {
        let scan = try scan(
            [.u32(name, at: offset), .u32("other", at: 16)], [name: 0x78, "other": 0x55],
            EventQuery("event", kind: 1, [.number("exit_reason", "ret", to: .a)]))
        #expect(scan.events.a == [0x78])
        #expect(scan.missing == [[]])
    }

    @Test func `the first of several names that are there is taken`() throws {
        let query = EventQuery("event", kind: 1, [.number("nothing", "second", "first", to: .a)])
        #expect(try scan([.u32("first"), .u32("second")], ["first": 1, "second": 2], query).events.a == [2])
    }

    @Test func `an event without a field it needs is reported instead of read`() throws {
        let scan = try scan(
            [.u32("there")], ["there": 1],
            EventQuery("event", kind: 1, [.number("there", to: .a), .number("gone", to: .b)]),
            EventQuery("unknown_event", kind: 2))
        #expect(scan.events.isEmpty)
        #expect(scan.missing == [["event", "unknown_event"]])
        #expect(scan.counts[0].events == 1)
    }

    @Test func `a condition on a field that is not there takes the event out`() throws {
        let scan = try scan([.u32("there")], ["there": 1], EventQuery("event", kind: 1, where: .equals("gone", 0)))
        #expect(scan.events.isEmpty)
        #expect(scan.missing == [["event"]])
    }

    @Test func `a field that may be missing leaves its bits empty`() throws {
        let scan = try scan(
            [.u32("there")], ["there": 1],
            EventQuery(
                "event", kind: 1, [.number("there", to: .a), .number("gone", to: .a, shift: 32, required: false)]))
        #expect(scan.events.a == [1])
        #expect(scan.missing == [[]])
    }

    @Test func `arrays and strings are not mistaken for numbers, nor numbers for strings`() throws {
        let fields: [BuiltField] = [.characters("comm", 16), .characters("pair", 2), .string("name"), .u32("n")]
        let values: [String: FieldValue] = ["comm": "ping", "pair": "ab", "name": "eth0", "n": 1]
        for operand: EventQuery.Operand in [
            .number("comm", to: .a), .number("pair", to: .a), .number("name", to: .a), .name("n", to: .a),
            .name("comm", to: .a),
        ] {
            #expect(try scan(fields, values, EventQuery("event", kind: 1, [operand])).missing == [["event"]])
        }
    }

    @Test func `events are told apart by id, up to the largest`() throws {
        let trace = TraceBuilder()
        let low = trace.event("test", "low", id: 1)
        let high = trace.event("test", "high", id: 0xffff)
        let other = trace.event("test", "other", id: 0x8000)
        for (index, event) in [low, high, other, high, low].enumerated() { trace.cpu(0).add(event, at: UInt64(index)) }
        let scan = try Scan(trace.open(), [EventQuery("low", kind: 1), EventQuery("high", kind: 2)])
        #expect(scan.events.kinds == [1, 2, 2, 1])
        #expect(scan.counts[0].events == 5)
    }

    @Test func `more queries than a program holds are reported, not dropped`() throws {
        let trace = TraceBuilder()
        let events = (0..<260).map { trace.event("test", "event\($0)") }
        for (index, event) in events.enumerated() { trace.cpu(0).add(event, at: UInt64(index)) }
        let scan = try Scan(trace.open(), events.enumerated().map { EventQuery($1.name, kind: UInt8($0 % 200)) })
        #expect(scan.events.count + scan.missing[0].count == 260)
        #expect(scan.missing[0] == events.suffix(scan.missing[0].count).map(\.name))
        #expect(scan.events.count >= 250)
    }

    @Test func `each machine's file has ids and offsets of its own`() throws {
        func trace(_ id: UInt16, _ offset: Int, _ value: FieldValue) throws -> TraceFile {
            let trace = TraceBuilder()
            trace.cpu(0).add(trace.event("test", "event", [.u32("n", at: offset)], id: id), at: 1000, ["n": value])
            return try trace.open()
        }
        let selection = Selection([EventQuery("event", kind: 1, [.number("n", to: .a)])])
        let scan = try Scan([
            StreamSource(file: trace(5, 8, 10), selection: selection, maps: [.host(nil)]),
            StreamSource(file: trace(6, 16, 20), selection: selection, maps: [.host(nil)]),
        ])
        #expect(scan.events.a == [10, 20])
    }
}

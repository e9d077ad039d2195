// Strings inside events, wherever their words lead.

import ClockSync
import TestSupport
import Testing
import TraceData

@Suite struct NameTests {
    private static let query = EventQuery("event", kind: 1, [.name("name", to: .a), .number("n", to: .b)])

    private func scan(_ values: [FieldValue], relative: Bool = false, size: Int? = nil) throws -> Scan {
        let trace = TraceBuilder()
        let event = trace.event("test", "event", [.u32("n"), relative ? .relativeString("name") : .string("name")])
        for (index, value) in values.enumerated() {
            trace.cpu(0).add(event, at: UInt64(1000 + index), ["n": .of(index), "name": value], size: size)
        }
        return try Scan(trace.open(), [Self.query])
    }

    @Test(arguments: [false, true]) func `a string is found by its word, from the record or from the word`(
        relative: Bool
    ) throws {
        let scan = try scan(["eth0", "virtio0-input.0", "eth0", "lo"], relative: relative)
        #expect(scan.events.a.map(scan.name) == ["eth0", "virtio0-input.0", "eth0", "lo"])
        #expect(scan.events.a[0] == scan.events.a[2])
        #expect(Set(scan.events.a).count == 3)
        #expect(scan.events.b == [0, 1, 2, 3])
    }

    @Test func `a string outside its record is no name`() throws {
        // The record is 16 bytes.
        let scan = try scan([
            .location(offset: 17, length: 1), .location(offset: 16, length: 1), .location(offset: 15, length: 2),
            .location(offset: 0xffff, length: 0xffff), .location(offset: 0, length: 17),
            .location(offset: 4000, length: 8),
        ])
        #expect(scan.events.a == [0, 0, 0, 0, 0, 0])
        #expect(scan.events.b == [0, 1, 2, 3, 4, 5])
    }

    @Test func `a relative string outside its record is no name`() throws {
        // The word ends with the record.
        let scan = try scan(
            [
                .location(offset: 0, length: 1), .location(offset: 1, length: 0),
                .location(offset: 0xffff, length: 0xffff),
            ], relative: true)
        #expect(scan.events.a == [0, 0, 0])
    }

    @Test func `a string that fills its record to the last byte needs no NUL`() throws {
        let trace = TraceBuilder()
        let event = trace.event("test", "event", [.u32("n"), .string("name"), .u32("text")])
        trace.cpu(0).add(event, at: 1000, ["name": .location(offset: 16, length: 4), "text": 0x3068_7465])
        let scan = try Scan(trace.open(), [Self.query])
        #expect(scan.events.a.map(scan.name) == ["eth0"])
    }

    @Test func `a string ends at its NUL, whatever its length says`() throws {
        let trace = TraceBuilder()
        let event = trace.event("test", "event", [.u32("n"), .string("name"), .u32("text"), .u32("rest")])
        trace.cpu(0).add(
            event, at: 1000, ["name": .location(offset: 16, length: 8), "text": 0x006f_6c, "rest": 0x7878_7878])
        let scan = try Scan(trace.open(), [Self.query])
        #expect(scan.events.a.map(scan.name) == ["lo"])
    }

    @Test func `long names are cut, not dropped`() throws {
        let long = String(repeating: "x", count: 100)
        let scan = try scan([.text(long), .text(String(long.prefix(31))), .text(String(long.prefix(30)))])
        #expect(
            scan.events.a.map(scan.name) == [String(long.prefix(31)), String(long.prefix(31)), String(long.prefix(30))])
    }

    @Test func `an empty name reads as no name`() throws {
        let scan = try scan(["", .location(offset: 16, length: 0)])
        #expect(scan.events.a.map(scan.name) == ["", ""])
    }

    @Test func `bytes that are no UTF-8 still make a name`() throws {
        let trace = TraceBuilder()
        let event = trace.event("test", "event", [.u32("n"), .string("name"), .u32("text")])
        trace.cpu(0).add(event, at: 1000, ["name": .location(offset: 16, length: 4), "text": 0xffff_4161])
        let scan = try Scan(trace.open(), [Self.query])
        #expect(scan.events.a.map(scan.name) == ["aA\u{fffd}\u{fffd}"])
    }

    @Test func `more names than a scanner remembers are still told apart`() throws {
        let names = (0..<600).map { "queue\($0 % 300)" }
        let scan = try scan(names.map { .text($0) })
        #expect(scan.events.a.map(scan.name) == names)
        #expect(Set(scan.events.a).count == 300)
    }

    @Test func `machines share one table of names`() throws {
        func file(_ names: [FieldValue]) throws -> TraceFile {
            let trace = TraceBuilder()
            let event = trace.event("test", "event", [.u32("n"), .string("name")])
            for (index, name) in names.enumerated() { trace.cpu(0).add(event, at: UInt64(index), ["name": name]) }
            return try trace.open()
        }
        let selection = Selection([Self.query])
        let scan = try Scan([
            StreamSource(file: file(["eth0", "tap0"]), selection: selection, maps: [.host(nil)]),
            StreamSource(file: file(["lo", "eth0"]), selection: selection, maps: [.host(nil)]),
        ])
        #expect(scan.events.a.map(scan.name) == ["eth0", "lo", "tap0", "eth0"])
        #expect(scan.events.a[0] == scan.events.a[3])
    }

    @Test func `a table that is full gives no more numbers instead of wrong ones`() {
        let table = NameTable()
        var last: UInt16 = 0
        for index in 0..<65_000 { last = table.id(of: "name\(index)") }
        #expect(last == 65_000)
        #expect(table.name(last) == "name64999")
        for index in 65_000..<66_000 { last = table.id(of: "name\(index)") }
        #expect(last == 0)
        #expect(table.name(0) == "")
        #expect(table.name(1) == "name0")
        #expect(table.id(of: "name0") == 1)
    }
}

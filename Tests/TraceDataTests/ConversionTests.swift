// The same recording in another form is the same trace.

import ClockSync
import Glibc
import TestSupport
import Testing
import TraceData

/// What is asked of a machine in earnest, to read real files with.
enum TapSelection {
    static let queries: [EventQuery] = [
        EventQuery("irq_handler_entry", kind: 1, [.number("irq", to: .a), .name("name", to: .b)]),
        EventQuery("irq_handler_exit", kind: 2, [.number("irq", to: .a)]),
        EventQuery("softirq_raise", kind: 3, where: .equals("vec", 3)),
        EventQuery(
            "napi_gro_receive_entry", kind: 4,
            [.number("skbaddr", to: .a), .name("name", to: .b), .number("len", to: .b, shift: 16, width: 32)]),
        EventQuery("napi_gro_receive_exit", kind: 5, where: .below("ret", 2)),
        EventQuery(
            "napi_poll", kind: 6,
            [.number("napi", to: .a), .name("dev_name", to: .b), .number("work", to: .b, shift: 16, width: 16)]),
        EventQuery("netif_receive_skb", kind: 7, [.number("skbaddr", to: .a), .name("name", to: .b)]),
        EventQuery(
            "net_dev_start_xmit", kind: 8,
            [.number("skbaddr", to: .a), .name("name", to: .b), .number("queue_mapping", to: .b, shift: 48, width: 16)]),
        EventQuery(
            "net_dev_xmit", kind: 9,
            [.number("skbaddr", to: .a), .name("name", to: .b), .number("rc", to: .b, shift: 16, width: 32)]),
        EventQuery("skb_copy_datagram_iovec", kind: 10, [.number("skbaddr", to: .a), .number("len", to: .b)]),
        EventQuery("consume_skb", kind: 11, [.number("skbaddr", to: .a)]),
        EventQuery(
            "kfree_skb", kind: 12, [.number("skbaddr", to: .a), .number("reason", to: .b, width: 32, required: false)]),
        EventQuery("sched_switch", kind: 13, [.number("next_pid", to: .a, width: 32), .number("prev_state", to: .b)]),
        EventQuery("sched_waking", kind: 14, [.number("pid", to: .a, width: 32)]),
        EventQuery("kvm_exit", kind: 15, [.number("exit_reason", "ret", to: .a, width: 32, required: false)]),
        EventQuery("kvm_msi_set_irq", kind: 16, [.number("data", to: .a, width: 8)]),
        EventQuery("sys_enter_sendto", kind: 17),
        EventQuery("sys_exit_sendto", kind: 18),
    ]
}

@Suite struct ConversionTests {
    private static let recordings = ["tap-steady", "tap-burst", "tap-2vcpu-cross", "tap-tinybuf-lost"]

    private func compare(_ path: String, convertedBy options: [String], version: Int) throws {
        let converted = temporaryPath("converted.dat")
        defer { unlink(converted) }
        try TraceCommand.run(["convert", "-i", path, "-o", converted] + options)
        let original = try TraceFile(path: path)
        let other = try TraceFile(path: converted)
        #expect(original.version == 7)
        #expect(original.buffers.flatMap(\.cpus).map(\.isChunked).contains(false) == false)
        #expect(other.version == version)
        #expect(other.buffers.flatMap(\.cpus).map(\.isChunked).contains(true) == false)

        #expect(other.options.traceID == original.options.traceID)
        #expect(other.options.tscToNanoseconds == original.options.tscToNanoseconds)
        #expect(other.options.timeShifts == original.options.timeShifts)
        #expect(other.options.guests == original.options.guests)
        #expect(other.options.statistics == original.options.statistics)
        #expect(other.options.cpuCount == original.options.cpuCount)
        #expect(other.options.uname == original.options.uname)
        #expect(other.options.clock == original.options.clock)
        #expect(other.commandLines == original.commandLines)
        #expect(other.formats.map(\.text) == original.formats.map(\.text))
        #expect(other.longSize == original.longSize)

        // Raw times: nothing may depend on what the options became.
        let before = try Scan(original, TapSelection.queries, map: .host(nil))
        let after = try Scan(other, TapSelection.queries, map: .host(nil))
        #expect(before.events.count > 500)
        #expect(before.counts.map(\.events) == after.counts.map(\.events))
        #expect(before.counts.map(\.lost) == after.counts.map(\.lost))
        #expect(before.counts.map(\.holes) == after.counts.map(\.holes))
        #expect(before.missing == after.missing)
        #expect(before.defects.isEmpty && after.defects.isEmpty)
        try #require(before.marks.count == after.marks.count)
        let differing = before.marks.indices.first { before.describe($0) != after.describe($0) }
        #expect(differing == nil, "\(before.describe(differing ?? 0)) became \(after.describe(differing ?? 0))")
    }

    @Test(arguments: recordings, ["host.dat", "host-g3.dat"]) func `version 6 holds the same marks as version 7`(
        folder: String, name: String
    ) throws {
        try compare(Checkout.recording(folder) + "/" + name, convertedBy: ["--file-version", "6"], version: 6)
    }

    @Test(arguments: recordings, ["host.dat", "host-g3.dat"])
    func `an uncompressed file holds the same marks as a compressed one`(
        folder: String, name: String
    ) throws {
        try compare(Checkout.recording(folder) + "/" + name, convertedBy: ["--compression", "none"], version: 7)
    }
}

extension Scan {
    /// A mark with its names in words: numbers of names may differ from scan to scan.
    fileprivate func describe(_ index: Int) -> String {
        let mark = marks[index]
        let named = [1, 4, 6, 7, 8, 9].contains(mark.kind)
        let b = named ? "\(name(mark.b & 0xffff)) \(mark.b >> 16)" : "\(mark.b)"
        return "\(mark.kind) at \(mark.time) on \(mark.lane) by \(mark.thread) flags \(mark.flags): \(mark.a) \(b)"
    }
}

// How a trace file begins, and what is said of one that does not begin so.

import LinuxSystem
import TestSupport
import Testing
import TraceData

/// What keeps a file of these bytes from being opened; nil when it opens.
func fault(of bytes: [UInt8]) -> TraceFileError.Fault? {
    do throws(TraceFileError) {
        _ = try bytes.openAsTrace()
        return nil
    } catch {
        return error.fault
    }
}

func fault(of trace: TraceBuilder) -> TraceFileError.Fault? { fault(of: trace.bytes) }

/// What the system answers to opening `path` as a trace.
private func refusal(of path: String) -> SystemError? {
    do throws(TraceFileError) {
        _ = try TraceFile(path: path)
        return nil
    } catch {
        guard case .system(let error) = error.fault else { return nil }
        return error
    }
}

@Suite struct HeaderTests {
    /// A file with one event.
    static func small(_ version: TraceBuilder.Version, packing: TraceBuilder.Packing = .none, pageSize: Int = 4096)
        -> TraceBuilder
    {
        let trace = TraceBuilder(version: version, packing: packing, pageSize: pageSize)
        let event = trace.event("net", "consume_skb", [.pointer("skbaddr")])
        trace.cpu(0).add(event, at: 1000, pid: 5, ["skbaddr": 0xffff_8880_0000_1000])
        return trace
    }

    @Test func `an empty file is called empty`() {
        #expect(fault(of: []) == .empty)
    }

    @Test func `a file that is no trace is told by its first bytes`() {
        let bytes = Array("#!/bin/sh\necho hello\n".utf8)
        #expect(fault(of: bytes) == .notTraceData(found: Array(bytes.prefix(10))))
        #expect(fault(of: [0x17, 0x08]) == .notTraceData(found: [0x17, 0x08]))
    }

    @Test func `a missing file and a folder name the system's answer`() {
        let missing = refusal(of: "/nonexistent/trace.dat")
        #expect(missing?.call == "open")
        #expect(missing?.errno == 2)
        #expect(refusal(of: "/")?.errno == 21)
    }

    @Test(arguments: ["5", "8", "", "seven"]) func `versions other than 6 and 7 are refused by name`(version: String) {
        let trace = Self.small(.v7)
        trace.versionText = version
        #expect(fault(of: trace) == .unsupportedVersion(version))
    }

    @Test(arguments: TraceBuilder.Version.allCases) func `a big-endian machine's file is refused`(
        version: TraceBuilder.Version
    ) {
        let trace = Self.small(version)
        trace.byteOrder = 1
        #expect(fault(of: trace) == .foreignByteOrder)
    }

    @Test func `nonsense in the header is corrupt, not believed`() {
        func section(_ change: (TraceBuilder) -> Void) -> String? {
            let trace = Self.small(.v7)
            change(trace)
            guard case .corrupt(let section, _, _)? = fault(of: trace) else { return nil }
            return section
        }
        #expect(section { $0.byteOrder = 2 } == "header")
        #expect(section { $0.userLongSize = 16 } == "header")
        #expect(section { $0.headerPageSize = 4095 } == "header")
        #expect(section { $0.headerPageSize = 0 } == "header")
        #expect(section { $0.headerPageSize = 1 << 31 } == "header")
    }

    @Test func `an unknown compression is refused by name`() {
        let trace = Self.small(.v7)
        trace.compressionName = "lz4"
        #expect(fault(of: trace) == .unsupportedCompression("lz4"))
    }

    @Test func `options sections in a circle end with an error instead of never`() {
        let trace = Self.small(.v7)
        trace.nextOptionsSection()
        trace.traceID(1)
        trace.optionsAreCircular = true
        guard case .corrupt("options", _, let fact)? = fault(of: trace) else {
            Issue.record("read options in a circle")
            return
        }
        #expect(fact == "options sections in a circle")
    }

    @Test(arguments: TraceBuilder.Version.allCases) func `a latency tracer's text is not taken for events`(
        version: TraceBuilder.Version
    ) {
        let trace = Self.small(version)
        trace.isLatencyText = true
        #expect(fault(of: trace) == .latencyFormat)
    }

    @Test func `a version 7 file without any options has no trace data`() {
        var bytes = Self.small(.v7).bytes
        // Magic, "7", byte order, long, page size, "none", "": then the place of the first OPTIONS section.
        bytes.set(UInt64(0), at: 10 + 2 + 1 + 1 + 4 + 5 + 1)
        #expect(fault(of: bytes) == .noTraceData)
    }

    @Test(arguments: TraceBuilder.Version.allCases) func `a file cut short names the section it ends in`(
        version: TraceBuilder.Version
    ) {
        let bytes = Self.small(version).bytes
        let header = fault(of: Array(bytes.prefix(14)))
        #expect(header == .truncated(section: "header", offset: 14, needed: 4))
        for count in [11, 20, 40, bytes.count / 2, bytes.count - 1] {
            guard case .truncated? = fault(of: Array(bytes.prefix(count))) else {
                Issue.record("opened the first \(count) of \(bytes.count) bytes")
                continue
            }
        }
    }

    @Test(arguments: TraceBuilder.Version.allCases, [4, 8])
    func `the header tells version, width of a long and page size`(version: TraceBuilder.Version, longSize: Int) throws
    {
        let trace = TraceBuilder(version: version, pageSize: 8192, longSize: longSize)
        let event = trace.event("net", "consume_skb", [.pointer("skbaddr")])
        trace.cpu(0).add(event, at: 1000)
        trace.commandLines = [5: "ping", 7: "CPU 0/KVM"]
        let file = try trace.open()
        #expect(file.version == version.rawValue)
        #expect(file.longSize == longSize)
        #expect(file.buffers.map(\.pageSize) == [8192])
        #expect(file.dataBytes == 8192)
        #expect(file.commandLines == [5: "ping", 7: "CPU 0/KVM"])
        #expect(file.formats.map(\.system) == ["net"])
    }

    @Test func `the kernel's long is what the commit word says, not the user space's`() throws {
        let trace = TraceBuilder(longSize: 8)
        trace.userLongSize = 4
        let event = trace.event("net", "consume_skb", [.pointer("skbaddr")])
        trace.cpu(0).add(event, at: 1000, ["skbaddr": 7])
        let file = try trace.open()
        #expect(file.longSize == 8)
        #expect(try Scan(file, [EventQuery("consume_skb", kind: 1, [.number("skbaddr", to: .a)])]).events.a == [7])
    }
}

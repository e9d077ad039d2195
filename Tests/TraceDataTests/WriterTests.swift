import ClockSync
import Glibc
import LinuxSystem
import TestSupport
import Testing
import TraceData

/// What is written is what was given, to our reader and to trace-cmd.
@Suite struct WriterTests {
    private static let recordings = ["tap-steady", "tap-burst", "tap-2vcpu-cross", "tap-tinybuf-lost"]

    /// Both machines of a recording written again, under the names they had, in a folder that is gone in the end.
    private func rewritten(_ recording: String, _ body: (String) throws -> Void) throws {
        let folder = temporaryPath("rewritten")
        mkdir(folder, 0o700)
        let names = ["host.dat", "host-g3.dat"]
        defer {
            for name in names { unlink(folder + "/" + name) }
            rmdir(folder)
        }
        for name in names {
            try RecordingParts.of(Checkout.recording(recording) + "/" + name) { parts in
                try parts.write(to: folder + "/" + name, isCopied: name == "host.dat")
            }
        }
        try body(folder)
    }

    @Test(arguments: recordings) func `a recording written again says and holds the same`(recording: String) throws {
        try rewritten(recording) { folder in
            for name in ["host.dat", "host-g3.dat"] {
                let original = try TraceFile(path: Checkout.recording(recording) + "/" + name)
                let written = try TraceFile(path: folder + "/" + name)
                try compare(written, original)
                try RecordingParts.of(original.path) { before in
                    let after = try RecordingParts(uncompressed: written.path)
                    // Headers, both kinds of formats, kernel symbols, formats of trace_printk, names of threads.
                    for id: UInt16 in 16...21 { #expect(after.section(id) == before.section(id), "section \(id)") }
                    // Statistics, clock, uname, CPUs, trace id, time shifts, guests, cycles.
                    for id: UInt16 in [2, 4, 5, 8, 11, 12, 13, 14] {
                        #expect(after.options(id) == before.options(id), "option \(id)")
                    }
                }
            }
        }
    }

    private func compare(_ written: TraceFile, _ original: TraceFile) throws {
        #expect(written.buffers.map(\.clock) == original.buffers.map(\.clock))
        #expect(written.buffers.map(\.name) == original.buffers.map(\.name))
        #expect(written.options.timeShifts == original.options.timeShifts)
        #expect(written.options.guests == original.options.guests)
        #expect(written.commandLines == original.commandLines)
        #expect(written.longSize == original.longSize)
        let before = try Scan(original, TapSelection.queries, map: .host(nil))
        let after = try Scan(written, TapSelection.queries, map: .host(nil))
        #expect(before.events.count > 500)
        #expect(after.lanes.map(\.cpu) == before.lanes.map(\.cpu))
        #expect(after.counts.map(\.events) == before.counts.map(\.events))
        #expect(after.counts.map(\.lost) == before.counts.map(\.lost))
        #expect(after.marks.times == before.marks.times)
        #expect(after.marks.kinds == before.marks.kinds)
        #expect(after.marks.a == before.marks.a)
        #expect(after.defects.isEmpty)
    }

    /// Host and guest on one axis, with symbols and names: everything the files hold has its part in it.
    @Test(arguments: recordings) func `trace-cmd reports the same of what is written again, merged`(recording: String) throws {
        try rewritten(recording) { folder in
            func report(_ folder: String) throws -> MappedFile {
                try TraceCommand.run(["report", "-t", "-i", folder + "/host.dat", "-i", folder + "/host-g3.dat"])
            }
            let before = try report(Checkout.recording(recording))
            let after = try report(folder)
            #expect(before.bytes.count > 1_000_000)
            #expect(after.bytes.count == before.bytes.count)
            #expect(memcmp(after.bytes.baseAddress!, before.bytes.baseAddress!, min(before.bytes.count, after.bytes.count)) == 0)
        }
    }

    @Test func `trace-cmd finds the written file valid and lists all of it`() throws {
        try rewritten("tap-2vcpu-cross") { folder in
            try TraceCommand.run(["dump", "-v", "-i", folder + "/host-g3.dat"])
            let dump = try TraceCommand.run(["dump", "--all", "-i", folder + "/host-g3.dat"])
            let text = String(decoding: dump.bytes, as: UTF8.self)
            for words in ["none\t[Compression algorithm]", "TRACECLOCK", "TIME SHIFT", "TSC2NSEC", "CPUCOUNT", "SAVED COMMAND LINES"] {
                #expect(text.contains(words), "\(words)")
            }
        }
    }
}

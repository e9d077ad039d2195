// What is written is what was given, to our reader and to trace-cmd.

import Glibc
import LinuxSystem
import TestSupport
import Testing
import TraceData

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
                try RecordingParts.of(Checkout.recording(recording) + "/" + name) { before in
                    let after = try RecordingParts(uncompressed: folder + "/" + name)
                    // Headers, both kinds of formats, kernel symbols, formats of trace_printk, names of threads.
                    for id: UInt16 in 16...21 { #expect(after.section(id) == before.section(id), "section \(id)") }
                    // Statistics, clock, uname, trace id, time shifts, guests, cycles; the number of CPUs trace-cmd's
                    // copy says twice.
                    for id: UInt16 in [2, 4, 5, 11, 12, 13, 14] {
                        #expect(after.options(id) == before.options(id), "option \(id)")
                    }
                    #expect(after.options(8) == Array(before.options(8).prefix(1)))
                    #expect(after.pages.keys == before.pages.keys)
                    for (cpu, pages) in before.pages { #expect(after.pages[cpu] == pages, "CPU \(cpu)") }
                }
                let original = try TraceFile(path: Checkout.recording(recording) + "/" + name)
                let written = try TraceFile(path: folder + "/" + name)
                #expect(written.buffers.map(\.clock) == original.buffers.map(\.clock))
                #expect(written.buffers.map(\.name) == original.buffers.map(\.name))
                #expect(written.longSize == original.longSize)
                try compare(written.options, original.options)
            }
        }
    }

    private func compare(_ written: TraceOptions, _ original: TraceOptions) throws {
        #expect(written.clock == original.clock)
        #expect(written.uname == original.uname)
        #expect(written.cpuCount == original.cpuCount)
        #expect(written.traceID == original.traceID)
        #expect(written.guests == original.guests)
        #expect(written.tscToNanoseconds == original.tscToNanoseconds)
        #expect(written.peerTraceID == original.peerTraceID)
        #expect(written.timeShifts == original.timeShifts)
        #expect(written.statistics == original.statistics)
    }

    /// Host and guest on one axis, with symbols and names: everything the files hold has its part in it.
    @Test(arguments: recordings) func `trace-cmd reports the same of what is written again, merged`(recording: String)
        throws
    {
        try rewritten(recording) { folder in
            func report(_ folder: String) throws -> MappedFile {
                try TraceCommand.run(["report", "-t", "-i", folder + "/host.dat", "-i", folder + "/host-g3.dat"])
            }
            let before = try report(Checkout.recording(recording))
            let after = try report(folder)
            #expect(before.bytes.count > 1_000_000)
            #expect(after.bytes.count == before.bytes.count)
            #expect(
                memcmp(after.bytes.baseAddress!, before.bytes.baseAddress!, min(before.bytes.count, after.bytes.count))
                    == 0)
        }
    }

    @Test func `trace-cmd finds the written file valid and lists all of it`() throws {
        try rewritten("tap-2vcpu-cross") { folder in
            try TraceCommand.run(["dump", "-v", "-i", folder + "/host-g3.dat"])
            let dump = try TraceCommand.run([
                "dump", "--summary", "--options", "--flyrecord", "-i", folder + "/host-g3.dat",
            ])
            let text = String(decoding: dump.bytes, as: UTF8.self)
            for words in [
                "none\t[Compression algorithm]", "\"tsc2nsec\" clock, 4096 page size, 2 cpus",
                "[Option TRACECLOCK, 67 bytes]",
                "[Option TimeShift, 152 bytes]", "[Option TSC2NSEC, 16 bytes]", "[Saved command lines, 44 bytes]",
            ] {
                #expect(text.contains(words), "\(words) in \(text)")
            }
        }
    }
}

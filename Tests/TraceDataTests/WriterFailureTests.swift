// What becomes of a file whose data is incomplete, missing or more than fits.

import ClockSync
import Glibc
import LinuxSystem
import TestSupport
import Testing
import TraceData

@Suite final class WriterFailureTests {
    private let path = temporaryPath("written.dat")

    deinit { unlink(path) }

    /// 3 sub-buffers of 4 KiB with an event each: n = 0, 1, 2.
    private static func parts(pageSize: Int = 4096) throws -> RecordingParts {
        let trace = TraceBuilder(pageSize: pageSize)
        let event = trace.event("test", "event", [.u32("n")])
        trace.clock("local")
        trace.cpuCount(4)
        trace.traceID(5)
        for n in 0..<3 {
            trace.cpu(0).page(at: UInt64(1000 * (n + 1)))
            trace.cpu(0).add(event, at: UInt64(1000 * (n + 1)), pid: 7, ["n": .of(n)])
        }
        let path = temporaryPath("parts.dat")
        trace.write(to: path)
        defer { unlink(path) }
        return try RecordingParts(uncompressed: path)
    }

    private func numbers() throws -> [UInt64] {
        try Scan(TraceFile(path: path), [EventQuery("event", kind: 1, [.number("n", to: .a)])]).events.a
    }

    /// How many events trace-cmd finds.
    private func reported() throws -> Int { try TraceReport(of: path).events.values.reduce(0) { $0 + $1.count } }

    /// Writes a file with the events that `body` gives and the description of `parts`.
    private func write(_ parts: RecordingParts, pageSize: Int = 4096, _ body: (inout TraceFileWriter) throws -> Void)
        throws
    {
        let output = try OpenFile(path, O_RDWR | O_CREAT | O_TRUNC)
        var writer = try TraceFileWriter(descriptor: output.descriptor, pageSize: pageSize)
        try body(&writer)
        try writer.finish(parts.description)
    }

    @Test func `CPUs without data are left out, the others keep their numbers`() throws {
        let parts = try Self.parts()
        try write(parts) { writer in
            writer.beginCPU(3)
            try writer.append(parts.bytes(0))
            writer.beginCPU(0)
            writer.beginCPU(1)
            try writer.append(parts.bytes(0))
            writer.beginCPU(2)
        }
        #expect(try TraceFile(path: path).buffers[0].cpus.map(\.cpu) == [1, 3])
        #expect(try TraceReport(of: path).events.mapValues(\.count) == [1: 3, 3: 3])
        #expect(try numbers().count == 6)
    }

    @Test func `a recording of nothing at all is a file`() throws {
        let parts = try Self.parts()
        try write(parts) { _ in }
        #expect(try TraceFile(path: path).buffers[0].cpus.isEmpty)
        #expect(try numbers().isEmpty)
        #expect(try reported() == 0)
    }

    @Test func `a sub-buffer that is not complete is left out`() throws {
        let parts = try Self.parts()
        try write(parts) { writer in
            writer.beginCPU(0)
            try writer.append(UnsafeRawBufferPointer(rebasing: parts.bytes(0)[..<10_000]))
            #expect(writer.bytesOfCPU == 10_000)
            writer.beginCPU(1)
            try writer.append(parts.bytes(0))
        }
        #expect(try TraceFile(path: path).buffers[0].cpus.map(\.range.count) == [8192, 12_288])
        #expect(try reported() == 5)
    }

    @Test func `a source that ends too early fails, and leaves its whole sub-buffers`() throws {
        let parts = try Self.parts()
        for isPipe in [false, true] {
            try write(parts) { writer in
                writer.beginCPU(0)
                let bytes = UnsafeRawBufferPointer(rebasing: parts.bytes(0)[..<10_000])
                let (source, sink) = isPipe ? try pipe() : try memory()
                #expect(Glibc.write(sink, bytes.baseAddress, bytes.count) == bytes.count)
                if isPipe { close(sink) } else { lseek(source, 0, SEEK_SET) }
                defer { close(source) }
                var failure: SystemError?
                do throws(SystemError) { try writer.append(from: source, count: 12_288) } catch { failure = error }
                #expect(failure == SystemError(call: "read", errno: ENODATA))
                #expect(writer.bytesOfCPU == 8192)
                // It goes on behind them.
                try writer.append(UnsafeRawBufferPointer(rebasing: parts.bytes(0)[8192...]))
            }
            #expect(try numbers() == [0, 1, 2])
            #expect(try reported() == 3)
        }
    }

    private func pipe() throws -> (Int32, Int32) {
        var ends: [Int32] = [0, 0]
        guard Glibc.pipe(&ends) == 0 else { throw SystemError(call: "pipe") }
        return (ends[0], ends[1])
    }

    /// A file in memory, which is what a recorder collects data in.
    private func memory() throws -> (Int32, Int32) {
        let path = "/dev/shm/virtlat-test-\(getpid())"
        let descriptor = open(path, O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, 0o600)
        guard descriptor >= 0 else { throw SystemError(call: "open") }
        unlink(path)
        return (descriptor, descriptor)
    }

    @Test func `a file that was never finished is not mistaken for a recording`() throws {
        let output = try OpenFile(path, O_RDWR | O_CREAT | O_EXCL)
        var writer = try TraceFileWriter(descriptor: output.descriptor, pageSize: 4096)
        writer.beginCPU(0)
        let parts = try Self.parts()
        try writer.append(parts.bytes(0))
        #expect(throws: TraceFileError(file: path, fault: .noTraceData)) { _ = try TraceFile(path: path) }
    }

    @Test func `larger sub-buffers are read as such`() throws {
        let parts = try Self.parts(pageSize: 16_384)
        try write(parts, pageSize: 16_384) { writer in
            writer.beginCPU(0)
            try writer.append(parts.bytes(0))
        }
        #expect(try numbers() == [0, 1, 2])
        #expect(try reported() == 3)
    }

    @Test(.enabled(if: SmallDisk.isPossible, "needs the right to mount a file system: run as root"))
    func `a full disk loses what did not fit, and nothing else`() throws {
        let disk = try SmallDisk(bytes: 64 << 10)
        let parts = try Self.parts()
        let ballast = try OpenFile(disk.path + "/ballast", O_RDWR | O_CREAT)
        #expect(ftruncate(ballast.descriptor, 36 << 10) == 0 && posix_fallocate(ballast.descriptor, 0, 36 << 10) == 0)
        let output = try OpenFile(disk.path + "/written.dat", O_RDWR | O_CREAT)
        var writer = try TraceFileWriter(descriptor: output.descriptor, pageSize: 4096)
        writer.beginCPU(0)
        // 28 KiB are free: 4 for the header, then two whole lots and nothing of the third.
        try writer.append(parts.bytes(0))
        try writer.append(UnsafeRawBufferPointer(rebasing: parts.bytes(0)[..<10_000]))
        var failure: SystemError?
        let (source, _) = try memory()
        defer { close(source) }
        #expect(Glibc.write(source, parts.bytes(0).baseAddress, 12_288) == 12_288)
        lseek(source, 0, SEEK_SET)
        do throws(SystemError) { try writer.append(from: source, count: 12_288) } catch { failure = error }
        #expect(failure == SystemError(call: "sendfile", errno: ENOSPC))
        #expect(writer.bytesOfCPU == 6 * 4096)
        failure = nil
        do throws(SystemError) { try writer.append(parts.bytes(0)) } catch { failure = error }
        #expect(failure == SystemError(call: "write", errno: ENOSPC))
        #expect(writer.bytesOfCPU == 6 * 4096)
        // Not even the description fits.
        failure = nil
        do throws(SystemError) { try writer.finish(parts.description) } catch { failure = error }
        #expect(failure == SystemError(call: "write", errno: ENOSPC))
        #expect(ftruncate(ballast.descriptor, 0) == 0)
        try writer.finish(parts.description)
        let file = try TraceFile(path: disk.path + "/written.dat")
        #expect(file.buffers[0].cpus.map(\.range.count) == [6 * 4096])
        let report = try TraceReport(of: disk.path + "/written.dat")
        #expect(report.events[0]?.count ?? 0 >= 5)
    }

    /// What a session's manifest and an agent may hand over, and no recording of ours holds.
    @Test func `unusual descriptions come back as they were`() throws {
        var description = try Self.parts().description
        description.guests = [
            GuestOption(name: "g1", traceID: 77, threadOfCPU: [1: 182, 3: 184]),
            GuestOption(name: "g2", traceID: 78, threadOfCPU: [:]),
        ]
        description.commandLines = [(7, "two\nlines"), (8, "a b")]
        description.peerTraceID = 9
        description.timeShifts = [
            TimeShift(
                interpolates: true,
                samples: [
                    TimeShiftSample(time: 1, offset: 2, scaling: 1 << 48),
                    TimeShiftSample(time: 5, offset: UInt64(bitPattern: -6), scaling: 1 << 48),
                ], fractionBits: 48),
            TimeShift(interpolates: true, samples: [TimeShiftSample(time: 4, offset: 7, scaling: 3)], fractionBits: 32),
        ]
        description.uname = "Linux høst 6.1 x86_64"
        let output = try OpenFile(path, O_RDWR | O_CREAT | O_EXCL)
        var writer = try TraceFileWriter(descriptor: output.descriptor, pageSize: 4096)
        try writer.finish(description)
        let file = try TraceFile(path: path)
        #expect(file.options.guests == description.guests)
        #expect(file.options.timeShifts == description.timeShifts)
        #expect(file.options.peerTraceID == 9)
        #expect(file.options.uname == description.uname)
        #expect(file.commandLines == [7: "two?lines", 8: "a b"])
        let dump = try TraceCommand.run(["dump", "--options", "-i", path])
        #expect(String(decoding: dump.bytes, as: UTF8.self).contains("281474976710656 48 1[offset"))
    }
}

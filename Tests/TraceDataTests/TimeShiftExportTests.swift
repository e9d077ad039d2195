// A guest's file gets another time shift and stays what it was otherwise.

import ClockSync
import Glibc
import LinuxSystem
import Statistics
import TestSupport
import Testing
import TraceData

@Suite final class TimeShiftExportTests {
    private let path = temporaryPath("guest.dat")

    deinit { unlink(path) }

    /// What a file can be, as far as it matters here.
    struct Form: Sendable, CustomTestStringConvertible {
        var version: TraceBuilder.Version
        var packing = TraceBuilder.Packing.none
        var isShifted: Bool

        var testDescription: String { "\(version) \(packing)\(isShifted ? " shifted" : "")" }

        static let all =
            [false, true].flatMap { isShifted in
                [Form(version: .v6, isShifted: isShifted)]
                    + TraceBuilder.Packing.allCases.map { Form(version: .v7, packing: $0, isShifted: isShifted) }
            }
    }

    private static let numbers = [EventQuery("number", kind: 1, [.number("n", to: .a)])]
    private static let offset: Int64 = 16_170_273_000

    /// An event every 2 µs from 1 ms on, in turn on two CPUs, and some of an instance.
    /// - Parameter uname: text of any length, to move what lies behind it.
    private static func trace(_ form: Form, uname: String = "Linux guest 6.1 x86_64", events: Int = 400) -> TraceBuilder
    {
        let trace = TraceBuilder(version: form.version, packing: form.packing)
        let number = trace.event("test", "number", [.u32("n")])
        for n in 0..<events { trace.cpu(n % 2).add(number, at: UInt64(1_000_000 + 2000 * n), pid: 5, ["n": .of(n)]) }
        for n in 0..<3 { trace.cpu(1, instance: "other").add(number, at: UInt64(1_000_000 + n), pid: 6, ["n": .of(n)]) }
        trace.clock("mono")
        trace.uname(uname)
        trace.cpuCount(2)
        if form.isShifted {
            trace.nextOptionsSection()
            trace.timeShift(peer: 1, cpus: [[.init(at: 0, offset: 99)], [.init(at: 0, offset: 99)]])
            trace.nextOptionsSection()
        }
        trace.traceID(77)
        trace.commandLines = [5: "ping"]
        return trace
    }

    /// Lines that rise on one CPU and fall on the other.
    private static func shifts(_ offset: Int64 = offset) -> [TimeShift] {
        [Int64(3), -4].map { drift in
            let toHost = ClockMap.RawConversion.interpolated(
                start: 0, end: 1_000_000, from: offset, to: offset + drift * 1000)
            return ClockMap(segments: [.init(toHost: toHost)], method: .containment).timeShift(
                over: 900_000...2_000_000)
        }
    }

    private static func bytes(_ path: String) throws -> [UInt8] {
        let mapping = try MappedFile(path: path)
        return withExtendedLifetime(mapping) { Array(mapping.bytes) }
    }

    /// Each CPU's data as it lies in the file.
    private static func data(_ path: String) throws -> [[UInt8]] {
        let bytes = try bytes(path)
        return try TraceFile(path: path).buffers.flatMap { buffer in
            // Chunks have their count in front, which their size leaves out.
            buffer.cpus.map { Array(bytes[$0.range.lowerBound..<$0.range.upperBound + ($0.isChunked ? 4 : 0)]) }
        }
    }

    /// Stores `shifts` and expects that nothing else of the file changes.
    private func write(_ shifts: [TimeShift] = shifts(), peer: UInt64 = 0xa02b_e382_763c_32ef) throws {
        let (before, dataBefore) = (try TraceFile(path: path), try Self.data(path))
        let marksBefore = try Scan(before, Self.numbers, map: .host(nil)).marks
        try TimeShiftExport.write(shifts, peer: peer, hostClock: nil, to: path)
        let after = try TraceFile(path: path)
        #expect(after.options.timeShifts == shifts)
        #expect(after.options.peerTraceID == peer)
        #expect(try Self.data(path) == dataBefore)
        #expect(dataBefore.allSatisfy { !$0.isEmpty } || before.version == 6)
        #expect(after.buffers.map(\.name) == ["", "other"])
        #expect(after.buffers.flatMap(\.cpus).allSatisfy { $0.range.isEmpty || $0.range.lowerBound % 4096 == 0 })
        let marks = try Scan(after, Self.numbers, map: .host(nil)).marks
        #expect(marks.map(\.time) == marksBefore.map(\.time) && marks.map(\.a) == marksBefore.map(\.a))
        #expect(after.options.clock == "mono" && after.options.traceID == 77 && after.options.cpuCount == 2)
        #expect(after.options.uname == before.options.uname && after.options.tscToNanoseconds == nil)
        #expect(after.formats.map(\.text) == before.formats.map(\.text) && after.commandLines == before.commandLines)
    }

    @Test(arguments: Form.all) func `the new shift is read, and all else is as it was`(form: Form) throws {
        Self.trace(form).write(to: path)
        try write()
    }

    @Test(arguments: Form.all) func `a second shift takes the first one's place`(form: Form) throws {
        Self.trace(form).write(to: path)
        try write(Self.shifts(-7), peer: 3)
        let size = try Self.bytes(path).count
        try write()
        // Version 6 has room from the first time.
        if form.version == .v6 { #expect(try Self.bytes(path).count == size) }
        try write([
            TimeShift(interpolates: false, samples: [TimeShiftSample(time: 0, offset: 1, scaling: 1)], fractionBits: 0)
        ])
        try write()
    }

    @Test func `a version 6 file without options gets some`() throws {
        let form = Form(version: .v6, isShifted: false)
        var bytes = Self.trace(form).bytes
        // "options  ", all of them, the end: what lies behind moves up, with the places of all data.
        let start = bytes.firstRange(of: Array("options  \0".utf8))!.lowerBound
        let end = bytes.firstRange(of: Array("flyrecord\0".utf8))!.lowerBound
        let first = try bytes.openAsTrace().buffers[0].cpus
        bytes.removeSubrange(start..<end)
        for (cpu, data) in first.enumerated() {
            let place = start + 10 + 16 * cpu
            bytes.set(UInt64(data.range.lowerBound), at: place)
        }
        bytes.insert(contentsOf: [UInt8](repeating: 0, count: end - start), at: start + 10 + 16 * first.count)
        bytes.write(to: path)
        let before = try Scan(TraceFile(path: path), Self.numbers, map: .host(nil))
        #expect(before.events.count == 400)
        try TimeShiftExport.write(Self.shifts(), peer: 3, hostClock: nil, to: path)
        let file = try TraceFile(path: path)
        #expect(file.options.timeShifts == Self.shifts())
        #expect(try Scan(file, Self.numbers, map: .host(nil)).events.times == before.events.times)
    }

    @Test(arguments: TraceBuilder.Version.allCases) func `times become ns as the host's do`(
        version: TraceBuilder.Version
    ) throws {
        let (host, guest) = (
            CycleConversion(multiplier: 827_197_636, shift: 31, offset: 0),
            CycleConversion(multiplier: 3, shift: 1, offset: 9)
        )
        for own in [nil, guest] {
            for wanted in [host, nil, host] {
                let trace = Self.trace(Form(version: version, isShifted: false))
                if let own { trace.tscToNanoseconds(multiplier: own.multiplier, shift: own.shift, offset: own.offset) }
                trace.write(to: path)
                try TimeShiftExport.write(Self.shifts(), peer: 3, hostClock: wanted, to: path)
                // A host without one counts ns, and so does what is shifted to its clock.
                #expect(try TraceFile(path: path).options.tscToNanoseconds == wanted ?? own.map { _ in .nanoseconds })
            }
        }
    }

    @Test(arguments: TraceBuilder.Packing.allCases) func `before the last 8 bytes are written, the file is what it was`(
        packing: TraceBuilder.Packing
    ) throws {
        let before = Self.trace(Form(version: .v7, packing: packing, isShifted: true)).bytes
        before.write(to: path)
        try write()
        let after = try Self.bytes(path)
        let changed = before.indices.filter { before[$0] != after[$0] }
        let first = try #require(changed.first)
        #expect(changed.allSatisfy { $0 < first + 8 })
        // Everything is there but what leads to it: the older shift still counts.
        let half = try (before + after[before.count...]).openAsTrace()
        #expect(half.options.timeShifts.map { $0.samples[0].offset } == [99, 99])
        // Another attempt finds the first one's remains behind the file.
        (before + after[before.count..<after.count - 20]).write(to: path)
        try write()
    }

    @Test func `a place that lies in two sectors is never half written`() throws {
        let form = Form(version: .v7, isShifted: false)
        // The options are the file's end, and their last 8 bytes that place.
        let end = Self.trace(form, uname: "", events: 2).bytes.count
        for bytesBehind in 1...12 {
            let length = (512 + bytesBehind - end % 512) % 512
            let trace = Self.trace(form, uname: String(repeating: "x", count: length), events: 2)
            #expect(trace.bytes.count % 512 == bytesBehind)
            trace.write(to: path)
            let before = inode
            try write()
            // A new file in place of the old one.
            #expect((inode != before) == (bytesBehind < 8))
        }
    }

    private var inode: ino_t {
        var status = stat()
        stat(path, &status)
        return status.st_ino
    }

    @Test(arguments: TraceBuilder.Version.allCases) func `a truncated file is refused with its place, and left alone`(
        version: TraceBuilder.Version
    ) throws {
        let whole = Self.trace(Form(version: version, isShifted: true), events: 20).bytes
        for size in stride(from: 0, to: whole.count - 1, by: 101) {
            let bytes = Array(whole[..<size])
            bytes.write(to: path)
            let error = #expect(throws: TraceFileError.self) {
                try TimeShiftExport.write(Self.shifts(), peer: 3, hostClock: nil, to: path)
            }
            #expect(error?.file == path)
            switch error?.fault {
            case .truncated(_, let offset, let needed): #expect(offset + needed > size)
            case .empty, .notTraceData, .corrupt: break
            default: Issue.record("\(size) bytes: \(String(describing: error))")
            }
            #expect(try Self.bytes(path) == bytes)
        }
    }

    @Test(arguments: TraceBuilder.Version.allCases) func `damage is refused or survived, never made worse`(
        version: TraceBuilder.Version
    )
        throws
    {
        let whole = Self.trace(Form(version: version, isShifted: true), events: 20).bytes
        var random = SplitMix64(seed: 11)
        for _ in 0..<400 {
            var bytes = whole
            // Not in the sub-buffers: nobody looks at them here.
            for _ in 0..<3 {
                let place = Int.random(in: 12..<bytes.count, using: &random)
                bytes[place] = UInt8.random(in: 0...255, using: &random)
            }
            bytes.write(to: path)
            do throws(TraceFileError) {
                try TimeShiftExport.write(Self.shifts(), peer: 3, hostClock: nil, to: path)
            } catch {
                #expect(error.file == path)
                #expect(try Self.bytes(path) == bytes)
                continue
            }
            #expect(try TraceFile(path: path).options.timeShifts == Self.shifts())
        }
    }

    @Test func `tables that lie in each other are corrupt`() throws {
        let trace = Self.trace(Form(version: .v6, isShifted: false))
        var bytes = trace.bytes
        // The option BUFFER leads to the top-level table, as if it were the instance's.
        let top = bytes.firstRange(of: Array("flyrecord\0".utf8))!.lowerBound
        let name = bytes.firstRange(of: Array("other\0".utf8))!.lowerBound
        bytes.set(UInt64(top), at: name - 8)
        bytes.write(to: path)
        let error = #expect(throws: TraceFileError.self) {
            try TimeShiftExport.write(Self.shifts(), peer: 3, hostClock: nil, to: path)
        }
        guard case .corrupt? = error?.fault else {
            Issue.record("\(String(describing: error))")
            return
        }
        #expect(try Self.bytes(path) == bytes)
    }

    @Test(
        .enabled(if: SmallDisk.isPossible, "needs the right to mount a file system: run as root"), arguments: Form.all)
    func `a full disk leaves the file alone, and nothing beside it`(form: Form) throws {
        let disk = try SmallDisk(bytes: 128 << 10)
        let path = disk.path + "/guest.dat"
        // The shift needs a page that is not there.
        var bytes = Self.trace(form).bytes
        bytes += [UInt8](repeating: 0, count: (4096 - bytes.count % 4096) % 4096)
        bytes.write(to: path)
        let ballast = try OpenFile(disk.path + "/ballast", O_RDWR | O_CREAT)
        let zeros = [UInt8](repeating: 0, count: 4096)
        while Glibc.write(ballast.descriptor, zeros, zeros.count) == zeros.count {}
        let error = #expect(throws: TraceFileError.self) {
            try TimeShiftExport.write(Self.shifts(), peer: 3, hostClock: nil, to: path)
        }
        guard case .system(let reason)? = error?.fault else {
            Issue.record("\(String(describing: error))")
            return
        }
        #expect(reason.errno == ENOSPC)
        #expect(try Self.bytes(path) == bytes)
        unlink(disk.path + "/ballast")
        #expect(rmdir(disk.path) != 0 && unlink(path) == 0)
    }

    @Test(arguments: TraceBuilder.Version.allCases)
    func `a link leads to the new file, which has the rights of the old one`(
        version: TraceBuilder.Version
    ) throws {
        Self.trace(Form(version: version, isShifted: false)).write(to: path)
        chmod(path, 0o640)
        let link = temporaryPath("link.dat")
        symlink(path, link)
        defer { unlink(link) }
        try TimeShiftExport.write(Self.shifts(), peer: 3, hostClock: nil, to: link)
        #expect(try TraceFile(path: path).options.timeShifts == Self.shifts())
        var status = stat()
        #expect(lstat(link, &status) == 0 && status.st_mode & S_IFMT == S_IFLNK)
        #expect(stat(path, &status) == 0 && status.st_mode & 0o7777 == 0o640)
    }
}

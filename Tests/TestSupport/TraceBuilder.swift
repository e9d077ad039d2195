// Builds small trace.dat files in code: what a test needs of a recording, and nothing else.
//
//     let trace = TraceBuilder()
//     let sched = trace.event("sched", "sched_switch", [.u32("next_pid"), .s64("prev_state")])
//     trace.cpu(0).add(sched, at: 1000, pid: 5, ["next_pid": 7])
//     let file = try trace.open()

import Glibc
package import TraceData

/// A trace.dat file in the making; formats in trace-cmd.dat.v6(5) and trace-cmd.dat.v7(5).
package final class TraceBuilder {
    package enum Version: Int, Sendable, CaseIterable { case v6 = 6, v7 = 7 }

    /// Compression of a version 7 file. Nothing gets smaller: both formats allow blocks that are stored as they are.
    package enum Packing: String, Sendable, CaseIterable { case none, zlib, zstd }

    package let version: Version
    package let packing: Packing
    /// Bytes of a sub-buffer.
    package let pageSize: Int
    /// Bytes of the recorded kernel's long, which is the width of the commit word.
    package let longSize: Int

    /// Names of threads (saved_cmdlines).
    package var commandLines: [Int32: String] = [:]
    /// Text of /proc/kallsyms; nobody reads it.
    package var kernelSymbols = ""
    /// Sub-buffers in one compressed chunk.
    package var pagesPerChunk = 10
    /// Makes the compressed bytes of a section or chunk, for tests that have better or worse ones; `stored` when it
    /// returns nil.
    package var compress: ([UInt8]) -> [UInt8]? = { _ in nil }

    // What a header says; to be changed by tests of headers that say something else.
    package var versionText: String
    package var compressionName: String
    /// 0 for little endian, 1 for big endian. Only the flag: what follows is little endian all the same.
    package var byteOrder: UInt8 = 0
    /// Bytes of the recorded user space's long.
    package var userLongSize: UInt8
    package var headerPageSize: UInt32
    /// The last OPTIONS section of a version 7 file points back to the first one.
    package var optionsAreCircular = false
    /// A version 6 file ends with a latency tracer's text, a version 7 file has a BUFFER_TEXT option.
    package var isLatencyText = false

    private(set) var events: [BuiltEvent] = []
    private(set) var instances: [Instance] = [Instance(name: "", clock: nil)]
    var optionSections: [[Option]] = [[]]

    /// One ftrace instance and its CPUs.
    struct Instance {
        var name: String
        var clock: String?
        var cpus: [Int: BuiltCPU] = [:]
    }

    package init(version: Version = .v7, packing: Packing = .none, pageSize: Int = 4096, longSize: Int = 8) {
        precondition(version == .v7 || packing == .none, "version 6 knows no compression")
        self.version = version
        self.packing = packing
        self.pageSize = pageSize
        self.longSize = longSize
        versionText = String(version.rawValue)
        compressionName = packing.rawValue
        userLongSize = UInt8(longSize)
        headerPageSize = UInt32(pageSize)
    }

    /// Defines an event.
    /// - Parameter fields: laid out one after the other behind the common fields, each aligned to its size, unless they
    ///   say where they lie.
    /// - Parameter id: what `common_type` is to be; the next free one when left out.
    /// - Parameter printFormat: what stands behind "print fmt: ".
    @discardableResult package func event(
        _ system: String, _ name: String, _ fields: [BuiltField] = [], id: UInt16? = nil, printFormat: String = "\"\""
    ) -> BuiltEvent {
        let id = id ?? UInt16(300 + events.count)
        let event = BuiltEvent(
            system: system, name: name, id: id, fields: fields, longSize: longSize, printFormat: printFormat)
        events.append(event)
        return event
    }

    /// Replaces the text of a format by one that the kernel would never write.
    package func replaceFormat(of event: BuiltEvent, with text: String) {
        for index in events.indices where events[index].id == event.id { events[index].formatText = text }
    }

    /// The events of one CPU.
    /// - Parameter instance: name of the ftrace instance, "" for the top-level buffer.
    package func cpu(_ cpu: Int, instance: String = "") -> BuiltCPU {
        var index = instances.firstIndex { $0.name == instance }
        if index == nil {
            instances.append(Instance(name: instance, clock: nil))
            index = instances.count - 1
        }
        if let known = instances[index!].cpus[cpu] { return known }
        let new = BuiltCPU(pageSize: pageSize, longSize: longSize)
        instances[index!].cpus[cpu] = new
        return new
    }

    /// The clock a BUFFER option of version 7 names; none unless it is set.
    package func bufferClock(_ clock: String, instance: String = "") {
        _ = cpu(0, instance: instance)
        for index in instances.indices where instances[index].name == instance { instances[index].clock = clock }
    }
}

extension TraceBuilder {
    /// Everything in the file.
    package var bytes: [UInt8] { version == .v6 ? version6() : version7() }

    package func write(to path: String) { bytes.write(to: path) }

    /// Writes the file, opens it and removes its name: it lives as long as the result.
    package func open() throws(TraceFileError) -> TraceFile { try bytes.openAsTrace() }
}

extension [UInt8] {
    /// Writes a file, or ends the test: a disk that is full is nobody's test case.
    package func write(to path: String) {
        let descriptor = unsafe Glibc.open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0o600)
        precondition(descriptor >= 0, "cannot create \(path)")
        defer { close(descriptor) }
        let written = unsafe withUnsafeBytes { bytes in
            var done = 0
            while done < bytes.count {
                let count = unsafe Glibc.write(descriptor, bytes.baseAddress! + done, bytes.count - done)
                if count <= 0 { break }
                done += count
            }
            return done
        }
        precondition(written == count, "cannot write \(path)")
    }

    /// These bytes as an opened trace file that has no name any more.
    package func openAsTrace() throws(TraceFileError) -> TraceFile {
        let path = temporaryPath("trace.dat")
        write(to: path)
        defer { unsafe unlink(path) }
        return try TraceFile(path: path)
    }
}

/// A path in the folder for temporary files that nobody else has.
package func temporaryPath(_ name: String) -> String {
    let folder = unsafe getenv("TMPDIR").map { unsafe String(cString: $0) } ?? "/tmp"
    let number = UInt64.random(in: .min ... .max)
    return folder + "/virtlat-test-\(getpid())-\(String(number, radix: 36))-\(name)"
}

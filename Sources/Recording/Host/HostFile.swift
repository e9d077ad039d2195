// From spool files to host.dat, by the recorder or, when it was killed, by its guard.

import ClockSync
import Glibc
import LinuxSystem
import Sessions
import TraceData

/// The host's trace.dat in a session folder.
enum HostFile {
    static let name = "host.dat"
    static let spoolPrefix = "host"
    /// Space that is set aside for finishing the files on a disk that has run full.
    static let reserveName = ".reserve"
    static let reserveBytes = 8 << 20

    /// Puts the spooled sub-buffers into host.dat and removes them.
    ///
    /// Where there is no space for both, what has been copied is punched out of the spool, so that no more than the
    /// reserve is needed.
    static func write(folder: String, spool: Spool, pageSize: Int, description: TraceDescription) throws(SystemError) {
        let path = folder + "/" + name
        let descriptor = try NewFile.make(path + ".partial")
        defer { close(descriptor) }
        unlink(folder + "/" + reserveName)
        var writer = try TraceFileWriter(descriptor: descriptor, pageSize: pageSize)
        for cpu in spool.cpus {
            writer.beginCPU(cpu)
            try copy(spool, cpu, to: &writer)
        }
        try writer.finish(description)
        guard unsafe rename(path + ".partial", path) == 0 else { throw SystemError(call: "rename") }
        for cpu in spool.cpus { unlink(Spool.path(folder: folder, prefix: spoolPrefix, cpu: cpu)) }
    }

    private static func copy(_ spool: Spool, _ cpu: Int, to writer: inout TraceFileWriter) throws(SystemError) {
        let size = spool.size(cpu: cpu)
        var done = 0
        while done < size {
            let count = min(4 << 20, size - done)
            lseek(spool.descriptor(cpu: cpu), off_t(done), SEEK_SET)
            do throws(SystemError) {
                try writer.append(from: spool.descriptor(cpu: cpu), count: count)
                done += count
            } catch  where error.errno == ENOSPC && done < writer.bytesOfCPU {
                done = writer.bytesOfCPU
            } catch  where error.errno == ENOSPC {
                // What was copied is there twice: give one of them back.
                guard spool.punch(cpu: cpu, count: done) else { throw error }
            }
        }
    }

    private static func unlink(_ path: String) { _ = unsafe Glibc.unlink(path) }

    /// Sets space aside; no more than a precaution, so its failure is none.
    static func reserve(folder: String) {
        guard let descriptor = try? NewFile.make(folder + "/" + reserveName) else { return }
        posix_fallocate(descriptor, 0, off_t(reserveBytes))
        close(descriptor)
    }
}

extension TraceDescription {
    /// What sections of tracefs say, and the manifest of the session.
    init(
        _ sections: [TraceSection], machine: RecordedMachine, uname: String, traceClock: String,
        conversion: CycleConversion?
    ) {
        func bytes(_ kind: TraceSection.Kind) -> [UInt8] { sections.first { $0.kind == kind }?.bytes ?? [] }
        self.init(
            headerPage: bytes(.headerPage), headerEvent: bytes(.headerEvent),
            formats: sections.filter { $0.kind == .format }.map {
                FormatText(system: $0.name, text: String(decoding: $0.bytes, as: UTF8.self))
            },
            cpuCount: machine.cpus, clock: traceClock, traceID: machine.traceID)
        kernelSymbols = bytes(.kernelSymbols)
        printFormats = bytes(.printFormats)
        for line in String(decoding: bytes(.commandLines), as: UTF8.self).split(separator: "\n") {
            let parts = line.split(separator: " ", maxSplits: 1)
            if parts.count == 2, let thread = Int32(parts[0]) { commandLines.append((thread, String(parts[1]))) }
        }
        self.uname = uname
        clockText = String(decoding: bytes(.clocks), as: UTF8.self)
        if !clockText.hasSuffix("\n") { clockText += "\n" }
        statistics = sections.filter { $0.kind == .statistics }.map {
            "CPU: \($0.name)\n" + String(decoding: $0.bytes, as: UTF8.self) + "\n"
        }
        tscToNanoseconds = traceClock == "x86-tsc" ? conversion : nil
    }
}

extension Manifest {
    /// GUEST of host.dat: each guest's trace id, and the host threads that are its CPUs. Guest CPUs are the vCPUs in
    /// order.
    var guestOptions: [GuestOption] {
        machines.filter { $0.role == .guest }.map { machine in
            let vcpus = topology.vms.first { $0.process == machine.vm }?.vcpus.sorted { $0.id < $1.id } ?? []
            return GuestOption(
                name: machine.name, traceID: machine.traceID,
                threadOfCPU: Dictionary(uniqueKeysWithValues: vcpus.enumerated().map { ($0.offset, $0.element.thread) })
            )
        }
    }
}

// Finishing a session whose recorder was killed: what the guard does with the folder, or a person when the guard was
// killed too.

import LinuxSystem
import Sessions

package enum CutOffSession {
    package enum Fault: Error, Sendable {
        /// There is no manifest, or it says that the session is whole.
        case notCutOff(folder: String)
        /// Its recorder still runs: its instance is there.
        case running(folder: String)
        /// Formats of events are read from the running kernel, and it is another one.
        case otherKernel(folder: String, recorded: String, running: String)
        case unfinished(folder: String, reason: String)
    }

    /// For people: there is no instance any more.
    package static func recover(folder: String) throws {
        guard let manifest = try Manifest.read(folder: folder), manifest.outcome == .recording else {
            throw Fault.notCutOff(folder: folder)
        }
        let running = SystemName.own.release
        guard manifest.machines[0].release == running else {
            throw Fault.otherKernel(folder: folder, recorded: manifest.machines[0].release, running: running)
        }
        try TraceFS.removeStale()
        guard try TraceFS.instancesOfOurs().isEmpty else { throw Fault.running(folder: folder) }
        do { try finish(folder: folder, instance: nil) } catch {
            throw Fault.unfinished(folder: folder, reason: FaultText.of(error))
        }
    }

    /// Makes host.dat of what was spooled and of what the buffers still hold, unless it is there already. Tracing is
    /// off by then.
    /// - Parameter instance: the name of the ftrace instance; nil when it is gone.
    package static func finish(folder: String, instance: String?) throws {
        guard var manifest = try Manifest.read(folder: folder), manifest.outcome == .recording else { return }
        if !Folder.hasFile(folder + "/" + HostFile.name) { try writeHost(folder, instance, manifest) }
        let scan = try TraceScan(folder + "/" + HostFile.name, events: manifest.machines[0].events, threads: [])
        manifest.takeWindow(scan)
        manifest.machines[0].lostEvents = scan.lost
        manifest.outcome = .cutOff
        manifest.faults.append("\(manifest.machines[0].name): the recorder was killed; its trace goes as far as that")
        for index in manifest.machines.indices where manifest.machines[index].role == .guest {
            if let file = manifest.machines[index].file, Folder.hasFile(folder + "/" + file) { continue }
            manifest.machines[index].file = nil
            manifest.faults.append(
                "\(manifest.machines[index].name): the recorder was killed before it had this guest's trace")
        }
        try manifest.write(folder: folder)
        for name in (try? Folder.names(in: folder)) ?? []
        where name.hasSuffix(".partial") || name == HostFile.reserveName {
            TextFile.remove(folder + "/" + name)
        }
    }

    private static func writeHost(_ folder: String, _ instance: String?, _ manifest: Manifest) throws {
        let cpus = try MachineTrace.tracedCPUs()
        let pageSize = try MachineTrace.subBufferSize()
        let spool = try Spool(cpus: cpus, folder: folder, prefix: HostFile.spoolPrefix, isContinued: true)
        // What a splice was in the middle of is not whole.
        for cpu in cpus { try spool.truncate(cpu: cpu, toMultipleOf: pageSize) }
        var statistics: [Int: String] = [:]
        var clocks = "[\(manifest.traceClock)]"
        if let instance {
            let path = try TraceFS.folder() + "/instances/" + instance
            let drain = try BufferDrain(instanceFolder: path, cpus: cpus, pageSize: pageSize, into: spool) { _ in }
            try? drain.finish()
            for cpu in cpus { statistics[cpu] = TextFile.optional("\(path)/per_cpu/cpu\(cpu)/stats") }
            clocks = TextFile.optional(path + "/trace_clock") ?? clocks
        }
        let sections = try TraceSection.gather(
            clocks: clocks, events: manifest.machines[0].events.compactMap { EventName($0.event) },
            statistics: statistics,
            kernelSymbols: false)
        try HostFile.write(
            folder: folder, spool: spool, pageSize: pageSize, description: manifest.hostDescription(sections))
    }
}

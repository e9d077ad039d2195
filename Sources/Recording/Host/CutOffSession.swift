// Finishing a session whose recorder was killed: what the guard does with the folder.

import ClockSync
import LinuxSystem
import Sessions

package enum CutOffSession {
    /// Makes host.dat of what was spooled and of what the buffers still hold. Tracing is off by then.
    /// - Parameter instance: the name of the ftrace instance.
    package static func finish(folder: String, instance: String) throws {
        guard var manifest = try Manifest.read(folder: folder), manifest.outcome == .recording else { return }
        let path = try TraceFS.folder() + "/instances/" + instance
        let cpus = try MachineTrace.tracedCPUs()
        let pageSize = try MachineTrace.subBufferSize()
        let spool = try Spool(cpus: cpus, folder: folder, prefix: HostFile.spoolPrefix, isContinued: true)
        // What a splice was in the middle of is not whole.
        for cpu in cpus { try spool.truncate(cpu: cpu, toMultipleOf: pageSize) }
        let drain = try BufferDrain(instanceFolder: path, cpus: cpus, pageSize: pageSize, into: spool) { _ in }
        try? drain.finish()
        let statistics = cpus.reduce(into: [Int: String]()) { $0[$1] = TextFile.optional("\(path)/per_cpu/cpu\($1)/stats") }
        let conversion = manifest.traceClock == "x86-tsc" ? CycleConversion.ofThisMachine : nil
        let sections = try TraceSection.gather(
            clocks: TextFile.optional(path + "/trace_clock") ?? "", events: manifest.machines[0].events.compactMap { EventName($0.event) },
            statistics: statistics, kernelSymbols: false)
        try HostFile.write(
            folder: folder, spool: spool, pageSize: pageSize, description: manifest.hostDescription(sections, conversion: conversion))
        let scan = try TraceScan(folder + "/" + HostFile.name, events: manifest.machines[0].events, threads: [])
        manifest.takeWindow(scan, conversion)
        manifest.machines[0].lostEvents = scan.lost
        manifest.outcome = .cutOff
        manifest.faults.append("\(manifest.machines[0].name): the recorder was killed; its trace goes as far as that")
        for index in manifest.machines.indices where manifest.machines[index].role == .guest {
            manifest.machines[index].file = nil
            manifest.faults.append("\(manifest.machines[index].name): the recorder was killed before it had this guest's trace")
        }
        try manifest.write(folder: folder)
        for name in (try? Folder.names(in: folder)) ?? [] where name.hasSuffix(".partial") { TextFile.remove(folder + "/" + name) }
    }
}

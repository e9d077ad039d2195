// The host and its virtual machines as text: a block for each.

import LinuxSystem
import Sessions

enum TopologyText {
    static func text(_ topology: Topology, colour: Bool) -> String {
        let blocks = [host(topology.host)] + topology.vms.map(machine)
        var text = blocks.map { $0.text(colour: colour) }.joined(separator: "\n")
        if topology.vms.isEmpty { text += "\nno virtual machine uses KVM here\n" }
        return text
    }

    private static func host(_ host: HostSystem) -> TextBlock {
        var facts = ["Linux \(host.release)", counted(host.cpus, "CPU")]
        if let haltPoll = host.haltPoll { facts.append("halt polling \(haltPoll == 0 ? "off" : duration(haltPoll))") }
        if let posted = host.postedInterrupts { facts.append("posted interrupts \(posted ? "on" : "off")") }
        var block = TextBlock(title: "host \(host.name)", facts: facts)
        if let cores = host.cores {
            // Without SMT the list would only say what is known.
            block.rows.append([
                "SMT", cores.allSatisfy { CPUSet($0)?.single != nil } ? "off" : cores.joined(separator: "  "),
            ])
        }
        if let caches = host.lastLevelCaches {
            block.rows.append(["cache", caches.map(cpus).joined(separator: "  ")])
        }
        for nic in host.nics {
            let queues = "\(counted(nic.receiveQueues, "rx queue")), \(counted(nic.transmitQueues, "tx queue"))"
            block.rows.append([nic.name, nic.driver ?? "", queues])
            for interrupt in nic.interrupts {
                block.rows.append([
                    "  irq \(interrupt.number)", cpus(interrupt.cpus),
                    interrupt.name.isEmpty ? "(unused)" : interrupt.name,
                ])
            }
        }
        return block
    }

    private static func machine(_ vm: VirtualMachine) -> TextBlock {
        var facts = ["pid \(vm.process)"]
        if let cid = vm.cid { facts.append("CID \(cid)") }
        var block = TextBlock(title: vm.name ?? "(no name)", facts: facts)
        block.rows += vm.vcpus.map { ["vCPU \($0.id)", "thread \($0.thread)", place($0.cpus, last: $0.lastCPU)] }
        block.rows += vm.vhostWorkers.map {
            [
                "vhost", "thread \($0.thread)", place($0.cpus, last: $0.lastCPU),
                $0.kind == .kernel ? "kernel thread" : "thread of the process",
            ]
        }
        for device in vm.devices {
            var behind = device.bridge.map { ["bridge \($0)"] } ?? []
            if !device.nics.isEmpty {
                behind.append("NIC\(device.nics.count == 1 ? "" : "s") \(device.nics.joined(separator: ", "))")
            }
            let queues = device.kind == .vfio ? "" : ", \(counted(device.queues, "queue"))"
            let facts = [device.address].compactMap { $0 } + behind
            block.rows.append([device.name, device.kind.rawValue + queues, facts.joined(separator: ", ")])
        }
        return block
    }

    private static func counted(_ count: Int, _ thing: String) -> String { "\(count) \(thing)\(count == 1 ? "" : "s")" }

    /// Where a thread may run, and which of the CPUs it is on.
    private static func place(_ list: String, last: Int?) -> String {
        guard let last, CPUSet(list)?.single == nil else { return cpus(list) }
        return "\(cpus(list)), on \(last) now"
    }

    static func cpus(_ list: String) -> String {
        if list.isEmpty { return "" }
        return list.contains { $0 == "-" || $0 == "," } ? "CPUs \(list)" : "CPU \(list)"
    }

    /// halt_poll_ns is a round number of µs as a rule.
    private static func duration(_ nanoseconds: Int) -> String {
        nanoseconds % 1_000 == 0 ? "\(nanoseconds / 1_000) µs" : "\(nanoseconds) ns"
    }
}

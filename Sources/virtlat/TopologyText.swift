// The host and its virtual machines as text: a block for each.

import Sessions

enum TopologyText {
    static func text(_ topology: Topology, colour: Bool) -> String {
        let blocks = [host(topology.host)] + topology.vms.map(machine)
        var text = blocks.map { $0.text(colour: colour) }.joined(separator: "\n")
        if topology.vms.isEmpty { text += "\nno virtual machine uses KVM here\n" }
        return text
    }

    private static func host(_ host: HostSystem) -> Block {
        var facts = ["Linux \(host.release)", counted(host.cpus, "CPU")]
        if let haltPoll = host.haltPoll { facts.append("halt polling \(haltPoll == 0 ? "off" : duration(haltPoll))") }
        if let posted = host.postedInterrupts { facts.append("posted interrupts \(posted ? "on" : "off")") }
        var block = Block(title: "host \(host.name)", facts: facts)
        for nic in host.nics {
            let queues = "\(counted(nic.receiveQueues, "rx queue")), \(counted(nic.transmitQueues, "tx queue"))"
            block.rows.append([nic.name, nic.driver ?? "", queues])
            for interrupt in nic.interrupts {
                block.rows.append(["  irq \(interrupt.number)", cpus(interrupt.cpus), interrupt.name.isEmpty ? "(unused)" : interrupt.name])
            }
        }
        return block
    }

    private static func machine(_ vm: VirtualMachine) -> Block {
        var facts = ["pid \(vm.process)"]
        if let cid = vm.cid { facts.append("CID \(cid)") }
        var block = Block(title: vm.name ?? "(no name)", facts: facts)
        block.rows += vm.vcpus.map { ["vCPU \($0.id)", "thread \($0.thread)", cpus($0.cpus)] }
        block.rows += vm.vhostWorkers.map {
            ["vhost", "thread \($0.thread)", cpus($0.cpus), $0.kind == .kernel ? "kernel thread" : "thread of the process"]
        }
        for device in vm.devices {
            var behind = device.bridge.map { ["bridge \($0)"] } ?? []
            if !device.nics.isEmpty { behind.append("NIC\(device.nics.count == 1 ? "" : "s") \(device.nics.joined(separator: ", "))") }
            let queues = device.kind == .vfio ? "" : ", \(counted(device.queues, "queue"))"
            let facts = [device.address].compactMap { $0 } + behind
            block.rows.append([device.name, device.kind.rawValue + queues, facts.joined(separator: ", ")])
        }
        return block
    }

    private static func counted(_ count: Int, _ thing: String) -> String { "\(count) \(thing)\(count == 1 ? "" : "s")" }

    private static func cpus(_ list: String) -> String {
        if list.isEmpty { return "" }
        return list.contains { $0 == "-" || $0 == "," } ? "CPUs \(list)" : "CPU \(list)"
    }

    /// halt_poll_ns is a round number of µs as a rule.
    private static func duration(_ nanoseconds: Int) -> String {
        nanoseconds % 1_000 == 0 ? "\(nanoseconds / 1_000) µs" : "\(nanoseconds) ns"
    }
}

extension TopologyText {
    /// A line with a name and facts, and rows in columns below it.
    fileprivate struct Block {
        var title: String
        var facts: [String]
        var rows: [[String]] = []

        func text(colour: Bool) -> String {
            let name = colour ? "\u{1b}[1m\(title)\u{1b}[0m" : title
            let lines = rows.map { row in
                let cells = row.enumerated().map { column, cell in
                    cell + String(repeating: " ", count: max(0, width(of: column) - cell.count))
                }
                let line = "  " + cells.joined(separator: "  ")
                return String(line[..<(line.lastIndex { $0 != " " }.map { line.index(after: $0) } ?? line.startIndex)])
            }
            return (["\(name): \(facts.joined(separator: ", "))"] + lines).joined(separator: "\n") + "\n"
        }

        /// The last cell of a row takes no room, however long it is.
        private func width(of column: Int) -> Int {
            rows.map { $0.count > column + 1 ? $0[column].count : 0 }.max() ?? 0
        }
    }
}

// virtlat vms: which threads and devices belong to which VM.

import ArgumentParser
import LinuxSystem
import Recording
import Sessions

struct VMs: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "vms",
        abstract: "Print the virtual machines of this host, with the threads and devices that serve them.",
        usage: "virtlat vms [options]",
        discussion: """
            Reads /proc, /sys and debugfs of a KVM host and prints, for each virtual machine, its vCPU threads and vhost workers \
            with the CPUs they may run on and the one they are on, and its network devices with the bridge and the NICs behind them; and of the host, \
            which CPUs share a core (SMT) and a last-level cache, and its NICs with their interrupts. Nothing is changed. Other users' processes and debugfs are readable to root only.

            EXAMPLES
              virtlat vms
                  the host and its virtual machines, as text

              virtlat vms --format json | jq '.vms[] | {name, threads: [.vcpus[].thread]}'
                  every virtual machine's vCPU threads

              virtlat vms --format json | jq -r '.vms[] | select(.name == "g3") | .vhost_workers[].thread'
                  threads to look at with perf; virtlat bind binds them

            EXIT STATUS
              0  done, also when no virtual machine was found (the output says so)
              1  the output can't be written
              64 wrong usage
            """)

    @Option(help: "How to print: text or json.")
    var format = Format.text

    enum Format: String, ExpressibleByArgument, CaseIterable { case text, json }

    func run() throws {
        try Failure.reported {
            let (topology, gaps) = Topology.discover()
            var output = OutputStream.standardOutput()
            switch format {
            case .text: try output.write(TopologyText.text(topology, colour: Terminal.outputHasColour))
            case .json: try output.write(bytes: Manifest.encoded(Document(host: topology.host, vms: topology.vms)))
            }
            try output.flush()
            gaps.forEach { Failure.warn($0.text) }
        }
    }

    /// What is printed as JSON: the topology as a session's manifest has it, with a version.
    private struct Document: Encodable {
        /// Raised when anything in it changes.
        var schema = 1
        var host: HostSystem
        var vms: [VirtualMachine]
    }
}

extension Topology.Gap {
    /// What can't be seen, and what to do.
    var text: String {
        let names =
            "virtual machines are found by their threads' names only, which a QEMU without debug-threads=on does not give them"
        switch self {
        case .noDebugfs(let path): return "\(path): no debugfs there, so \(names); mount -t debugfs none \(path)"
        case .unreadableDebugfs(let path, let error): return "\(path): \(error.text), so \(names); run as root"
        case .closedProcesses(let ids):
            let list = ids.map { String($0) }.joined(separator: ", ")
            let whose = ids.count == 1 ? "what process \(list) has" : "what processes \(list) have"
            return "\(whose) open can't be read, so network devices are missing; run as root"
        }
    }
}

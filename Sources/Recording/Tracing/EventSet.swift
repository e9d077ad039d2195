// The events that are recorded, with filters for what no path asks about: volume is what recording disturbs most by.

import KernelEvents
package import Sessions

package enum EventSet {
    /// On a host, for all the paths that are described.
    ///
    /// - Parameter vms: the machines that are recorded; threads and devices of others are left out by the kernel.
    ///   Without any, the host itself has the applications, and all its threads are recorded.
    package static func host(_ topology: Topology, vms: [VirtualMachine]) -> [EventRequest] {
        let threads = vms.flatMap { vm in [vm.process] + vm.vcpus.map(\.thread) + vm.vhostWorkers.map(\.thread) }
        let vcpus = anyOf(["common_pid"], vms.flatMap { $0.vcpus.map(\.thread) })
        let irqs = interruptFilter(topology, vms: vms)
        return recordable.filter { $0.place != .applications || vms.isEmpty }.map { event in
            switch event.narrowing {
            case .interrupts: request(event, irqs)
            case .threads(let ids, let names): request(event, orInterruptThreads(anyOf(ids, threads), comms: names))
            case .vcpus: request(event, vcpus)
            case nil: request(event, event.filter)
            }
        }
    }

    /// In a guest. Who will read the packets is not known before, so all threads are recorded.
    package static var guest: [EventRequest] { recordable.filter { $0.place != .host }.map { request($0, $0.filter) } }

    /// What only arm64 has is asked for there only: elsewhere a kprobe by such a name is somebody else's.
    private static let recordable: [KernelEvent] = {
        #if arch(arm64)
            KernelEvent.all
        #else
            KernelEvent.all.filter { $0.architectures != .arm64 }
        #endif
    }()

    private static func request(_ event: KernelEvent, _ filter: String?) -> EventRequest {
        guard let name = EventName(event.description) else { preconditionFailure("\(event) is no event") }
        return EventRequest(name, filter: filter)
    }

    /// "pid == 1 || pid == 2"; no filter when there is nothing to ask for, or too much.
    static func anyOf(_ fields: [String], _ numbers: [some BinaryInteger]) -> String? {
        let terms = numbers.flatMap { number in fields.map { "\($0) == \(number)" } }
        let filter = terms.joined(separator: " || ")
        return terms.isEmpty || filter.utf8.count > EventRequest.longestFilter ? nil : filter
    }

    /// With interrupts that are handled by threads of their own (PREEMPT_RT, threadirqs): those are named
    /// irq/NUMBER-NAME. Their numbers may change with any device that is opened, so that they are asked for by name.
    static func orInterruptThreads(_ filter: String?, comms: [String]) -> String? {
        let whole = filter.map { ([$0] + comms.map { "\($0) ~ \"irq/*\"" }).joined(separator: " || ") }
        return whole.flatMap { $0.utf8.count > EventRequest.longestFilter ? nil : $0 }
    }

    /// The vectors of NICs and of devices that were given to the guests; all of them when there is a NIC whose vectors
    /// are unknown.
    private static func interruptFilter(_ topology: Topology, vms: [VirtualMachine]) -> String? {
        let nics = topology.host.nics
        guard !nics.isEmpty, nics.allSatisfy({ !$0.interrupts.isEmpty }),
            vms.allSatisfy({ $0.devices.allSatisfy { $0.kind != .vfio } })
        else { return nil }
        return anyOf(["irq"], nics.flatMap { $0.interrupts.map(\.number) })
    }
}

// What an agent says of its machine before anything is recorded.

import Glibc
import LinuxSystem

struct GuestFacts: Sendable {
    var cpus: Int
    var pageSize: Int
    var clocks: [String]
    /// Lower case, sorted.
    var networkAddresses: [String]
    /// What will be blind or inexact, for people.
    var remarks: [String]

    static func gather() throws(TracingFault) -> GuestFacts {
        var remarks: [String] = []
        if KVMPTPClock() == nil {
            remarks.append("no \"KVM virtual PTP\" clock: cross-timestamps are missing (modprobe ptp_kvm)")
        }
        var absent: [EventName] = []
        for request in EventSet.guest where try !TraceFS.hasEvent(request.event) { absent.append(request.event) }
        if !absent.isEmpty {
            remarks.append("this kernel has no event " + absent.map(\.description).joined(separator: ", "))
        }
        return GuestFacts(
            cpus: try MachineTrace.tracedCPUs().count, pageSize: try MachineTrace.subBufferSize(),
            clocks: try TraceFS.clocks(),
            networkAddresses: networkAddressesOfThisMachine(), remarks: remarks)
    }

    private static func networkAddressesOfThisMachine() -> [String] {
        let folder = "/sys/class/net"
        return ((try? Folder.names(in: folder)) ?? []).compactMap { name in
            guard name != "lo", let address = TextFile.optional("\(folder)/\(name)/address"), address.count == 17 else {
                return nil
            }
            return address.lowercased()
        }.sorted()
    }
}

// Recordings of the lab and what their recording.json says of them.

import Foundation
import TestSupport
import Testing

/// A folder that the lab's record or record-trace-cmd made: those in traces/, or one that was made a moment ago.
struct Recording: Hashable, Sendable, CustomStringConvertible {
    let folder: String
    /// Packets the client sent, which is all the traffic there was.
    let packets: Int
    /// The guest's TSC minus the host's, as debugfs said (tsc-offset of vCPU 0), in ticks.
    let tscOffset: Int64
    /// ns of the host's trace clock = (TSC * multiplier) >> shift, see TSC2NSEC of the host's trace.dat.
    let multiplier: Int64
    let shift: Int64

    static let steady = stored("tap-steady")
    static let burst = stored("tap-burst")
    static let cross = stored("tap-2vcpu-cross")
    static let lost = stored("tap-tinybuf-lost")
    static let allCases = [steady, burst, cross, lost]

    var name: String { URL(fileURLWithPath: folder).lastPathComponent }
    var description: String { name }
    var host: String { folder + "/host.dat" }
    /// trace-cmd puts its own file's name in front.
    var guest: String { folder + (isSession ? "/guest-g3.dat" : "/host-g3.dat") }
    /// Made by virtlat record.
    private let isSession: Bool

    /// Bytes of each of the application's packets, with the Ethernet header.
    static let packetLength = 106

    init(folder: String) throws {
        self.folder = folder
        isSession = false
        let facts = try JSON(
            String(decoding: Data(contentsOf: URL(fileURLWithPath: folder + "/recording.json")), as: UTF8.self))
        packets = Int(try facts["traffic"].integer("count"))
        let guest = try #require(facts["guests"].list.first, "\(folder)/recording.json names no guest")
        let offsets = try guest["vcpus"].list.map { try $0.integer("tsc_offset") }
        tscOffset = try #require(offsets.first)
        try #require(Set(offsets).count == 1, "the vCPUs' clocks differ: \(offsets)")
        multiplier = try facts["tsc2nsec"].integer("multiplier")
        shift = try facts["tsc2nsec"].integer("shift")
        let constant = try facts["tsc2nsec"].integer("offset")
        try #require(constant == 0, "an offset of \(constant) that hostTime leaves out")
    }

    /// A session that `lab record` made.
    init(session folder: String, packets: Int) throws {
        self.folder = folder
        self.packets = packets
        isSession = true
        let manifest = try JSON(
            String(decoding: Data(contentsOf: URL(fileURLWithPath: folder + "/session.json")), as: UTF8.self))
        let clock = try #require(manifest["clocks"].list.first, "\(folder)/session.json names no guest")
        let offsets = try clock["kvm"].list.map { try $0.integer("tsc_offset") }
        tscOffset = try #require(offsets.first, "KVM's offset is not in the manifest")
        try #require(Set(offsets).count == 1, "the vCPUs' clocks differ, or changed: \(offsets)")
        multiplier = try manifest["tsc_to_ns"].integer("multiplier")
        shift = try manifest["tsc_to_ns"].integer("shift")
    }

    private static func stored(_ name: String) -> Recording {
        do {
            return try Recording(folder: Checkout.recording(name))
        } catch {
            fatalError("traces/\(name) is not whole: \(error)")
        }
    }

    /// Host time (ns) of a TSC value of the guest.
    func hostTime(tsc: Int64) -> Int64 {
        Int64(((Int128(tsc) - Int128(tscOffset)) * Int128(multiplier)) >> Int128(shift))
    }
}

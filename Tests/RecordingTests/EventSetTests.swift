// What is recorded is what is asked for: the recorder and the analysis have nothing in common but the catalogue.

import GuestClocks
import KernelEvents
import PacketPath
import Recording
import Sessions
import Testing
import TraceData

struct EventSetTests {
    private static let host = Topology(
        host: HostSystem(name: "h", release: "6.1", cpus: 1, haltPoll: nil, postedInterrupts: nil, nics: []), vms: [])

    /// Those are recorded nowhere else.
    private static let onlyOnARM = Set(KernelEvent.all.filter { $0.architectures == .arm64 }.map(\.name))
    private static var isARM: Bool {
        #if arch(arm64)
            true
        #else
            false
        #endif
    }

    /// Events that kernels have under one of several names, or not at all on some architectures, are in both lists all
    /// the same.
    @Test func `every event that a path asks for is recorded on that machine`() {
        let recorded: [MachineRole: Set<String>] = [
            .host: Set(EventSet.host(Self.host, vms: []).map(\.event.name)),
            .guest: Set(EventSet.guest.map(\.event.name)),
        ]
        for role in [MachineRole.host, .guest] {
            for query in MarkKind.selection(role, for: PathKind.allCases.map(\.description)).queries
            where !Self.onlyOnARM.contains(query.event) || Self.isARM {
                #expect(recorded[role]?.contains(query.event) == true, "\(role.rawValue) \(query.event)")
            }
        }
    }

    @Test func `a host without guests is recorded with its applications, and with guests without`() {
        let alone = EventSet.host(Self.host, vms: [])
        for query in MarkKind.selection(.host, for: [.host], ofHost: true).queries {
            #expect(alone.contains { $0.event.name == query.event }, "\(query.event)")
        }
        for event in ["sched_switch", "sched_waking"] { #expect(alone.first { $0.event.name == event }?.filter == nil) }
        let vm = VirtualMachine(name: "g", process: 7, cid: nil, vcpus: [], vhostWorkers: [], devices: [])
        let events = EventSet.host(Self.host, vms: [vm])
        #expect(!events.contains { $0.event.system == "syscalls" })
        #expect(events.first { $0.event.name == "sched_waking" }?.filter == "pid == 7 || comm ~ \"irq/*\"")
    }

    /// A filter that the analysis has as well may only leave out what that leaves out.
    @Test func `filters leave out what nobody asks for`() {
        let filters = Dictionary(
            uniqueKeysWithValues: EventSet.host(Self.host, vms: []).map { ($0.event.name, $0.filter) })
        for query in MarkKind.selection(.host, for: PathKind.allCases.map(\.description)).queries {
            guard let filter = filters[query.event] ?? nil else { continue }
            switch query.condition {
            case .equals(let field, let value)?: #expect(filter == "\(field) == \(value)", "\(query.event)")
            case .below(let field, let value)?: #expect(filter == "\(field) < \(value)", "\(query.event)")
            case nil: break
            }
        }
    }
}

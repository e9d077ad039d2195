// A trace file that choices make: every event that any path asks for, with fields that meet each other, and damage at
// the end.

import ClockSync
import GuestClocks
import PacketPath
import TestSupport
import TraceData

/// Builds one machine's file. Its events are those that the analysis asks for, so that a new one is fuzzed as soon as
/// it is asked for.
struct StagedTrace {
    let role: MachineRole
    /// Trace ids of the machine and the other one; a guest's TIME_SHIFT names its host.
    let id: UInt64
    let peer: UInt64
    /// The host's own packets are followed.
    let followsHost: Bool

    private struct Field {
        var built: BuiltField
        var isText: Bool
    }

    /// Fields by event, as the queries name them.
    private static func events(_ role: MachineRole, ofHost: Bool) -> [(name: String, fields: [Field])] {
        MarkKind.selection(role, for: PathDescription.all, ofHost: ofHost).queries.map { query in
            var fields: [String: Field] = [:]
            var order: [String] = []
            func add(_ name: String, _ field: Field) {
                if fields.updateValue(field, forKey: name) == nil { order.append(name) }
            }
            for operand in query.operands {
                guard let name = operand.fields.first else { continue }
                switch operand.value {
                case .name: add(name, Field(built: .string(name), isText: true))
                case .number: add(name, Field(built: operand.width > 32 ? .u64(name) : .u32(name), isText: false))
                }
            }
            switch query.condition {
            case .equals(let name, _), .below(let name, _): add(name, Field(built: .u32(name), isText: false))
            case nil: break
            }
            return (query.event, order.compactMap { fields[$0] })
        }
    }

    private static let systems = [
        "sched_switch": "sched", "sched_waking": "sched", "kvm_entry": "kvm", "kvm_exit": "kvm",
    ]
    private static let names = ["eth0", "tap0", "nic0", "lo", "virtio0-input.0", "", "br0", "vhost"]
    private static let clocks = ["local", "mono", "x86-tsc", "tsc2nsec", "counter", "uptime", "boot", ""]

    /// The bytes of the file.
    func bytes(_ choices: inout Choices) -> [UInt8] {
        let form = choices.byte()
        let version = form & 1 == 0 ? TraceBuilder.Version.v7 : .v6
        let packing = version == .v6 ? .none : TraceBuilder.Packing.allCases[Int(form >> 1 & 3) % 3]
        let trace = TraceBuilder(version: version, packing: packing, pageSize: 1024, longSize: form & 8 == 0 ? 8 : 4)
        trace.pagesPerChunk = 2
        trace.traceID(id)
        trace.uname("Linux m 6.1.0 x86_64")
        addOptions(trace, &choices)
        let events = Self.events(role, ofHost: followsHost).map { event in
            (
                built: trace.event(Self.systems[event.name] ?? "net", event.name, event.fields.map(\.built)),
                fields: event.fields
            )
        }
        for cpu in 0..<2 { _ = trace.cpu(cpu) }
        addEvents(trace, events, &choices)
        var bytes = trace.bytes
        for _ in 0..<choices.number(below: 8) {
            let place = Int(choices.word() % UInt64(bytes.count))
            bytes[place] = choices.byte()
        }
        return bytes
    }

    private func addOptions(_ trace: TraceBuilder, _ choices: inout Choices) {
        let options = choices.byte()
        let clock = choices.byte()
        // Most files have a clock of ns.
        trace.clock(clock < 128 ? "local" : Self.clocks[Int(clock) % Self.clocks.count])
        trace.cpuCount(options & 1 == 0 ? 2 : UInt32(choices.byte()))
        if options & 2 != 0 {
            trace.statistics(cpu: 0, overrun: Int(choices.byte()), dropped: Int(truncatingIfNeeded: choices.value()))
        }
        if role == .host { trace.guest("g1", traceID: peer, threads: [0: 100, 1: 101]) }
        if options & 4 != 0 {
            trace.tscToNanoseconds(
                multiplier: UInt32(truncatingIfNeeded: choices.value()), shift: UInt32(choices.byte()),
                offset: choices.value())
        }
        if role == .guest, options & 8 == 0 {
            trace.timeShift(
                peer: peer,
                cpus: (0..<2).map { _ in
                    (0...choices.number(below: 3)).map { _ in
                        choices.flag()
                            ? .init(at: choices.value(), offset: choices.signed())
                            : .init(
                                at: choices.value(), offset: choices.signed(), scaling: choices.value(),
                                fractionBits: UInt64(choices.byte()))
                    }
                }, interpolates: options & 16 != 0)
        }
        trace.commandLines = [
            100: "CPU 0/KVM", 101: "CPU 1/KVM", 102: "vhost-7", 103: "ping", 104: "napi/eth0-1", 105: "kworker/0:1",
        ]
    }

    private func addEvents(
        _ trace: TraceBuilder, _ events: [(built: BuiltEvent, fields: [Field])], _ choices: inout Choices
    ) {
        var steps = 0
        while !choices.isEmpty, steps < 600 {
            steps += 1
            let step = choices.byte()
            let cpu = trace.cpu(Int(step & 1))
            let time = max(cpu.time, trace.cpu(Int(step & 1) ^ 1).time)
            switch step >> 1 {
            case 0..<112:
                let event = events[choices.number(below: events.count)]
                var values: [String: FieldValue] = [:]
                for field in event.fields {
                    values[field.built.name] =
                        field.isText ? .text(choices.pick(Self.names)) : .number(number(of: field, &choices))
                }
                let context = choices.byte()
                cpu.add(
                    event.built, at: time &+ UInt64(context >> 4) * 100 &+ 1, pid: 100 + Int32(context & 7),
                    flags: context & 8 == 0 ? 0 : 0x10,
                    values)
            case 112: cpu.lost(choices.flag() ? Int(choices.byte()) : nil)
            case 113: if cpu.pageCount > 0, cpu.room >= 8 { cpu.timeStamp(choices.value()) }
            case 114: if cpu.pageCount > 0, cpu.room >= 8 { cpu.timeExtend(by: choices.value() & (1 << 59 - 1)) }
            case 115:
                if cpu.pageCount > 0, cpu.room >= 16 { cpu.discarded(bytes: 16, delta: UInt64(choices.byte()) + 1) }
            case 116: cpu.page(at: choices.value())
            case 117: if cpu.pageCount > 0 { cpu.overrideCommit(UInt32(truncatingIfNeeded: choices.value())) }
            case 118: cpu.rawPage(choices.bytes(most: 64))
            case 119:
                if cpu.pageCount > 0, cpu.room >= 8 {
                    cpu.raw(Array((choices.bytes(most: 8) + [0, 0, 0, 0, 0, 0, 0, 0]).prefix(8)))
                }
            default: cpu.page(at: time &+ UInt64(choices.byte()) << 10)
            }
        }
    }

    /// Addresses, threads and lengths come from small sets, so that one event's are another's too.
    private func number(of field: Field, _ choices: inout Choices) -> UInt64 {
        let choice = choices.byte()
        guard choice < 240 else { return choices.value() }
        return switch field.built.name {
        case "skbaddr": 0xffff_8881_0200_0000 + UInt64(choice & 7) << 8
        case "sk", "skaddr": 0xffff_8881_0300_0000 + UInt64(choice & 3) << 10
        case "next_pid", "pid": choice & 15 == 15 ? 0 : 100 + UInt64(choice & 7)
        case "len": 60 + UInt64(choice & 3) * 46
        case "family": choice & 8 == 0 ? 2 : 10
        case "protocol": [17, 6, 0x800, 1][Int(choice & 3)]
        case "vec": 3
        case "reason": UInt64(choice & 3) + 1
        case "irq", "napi", "vcpu_id", "ifindex", "to_ifindex", "from_ifindex": UInt64(choice & 3)
        default: UInt64(choice & 7)
        }
    }
}

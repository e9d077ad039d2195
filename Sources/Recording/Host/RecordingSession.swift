// What a recording knows of itself while it goes on.

import ClockSync
import LinuxSystem
import Sessions
import Synchronization

/// How a guest is, from the task that reads its connection.
final class GuestHealth: Sendable {
    /// Why it was lost; nil while it is well.
    let lost = Mutex<String?>(nil)
    /// What it has said of its trace before it sent any of it; for when the rest never comes.
    let sections = Mutex<[TraceSection]>([])

    var isWell: Bool { lost.withLock { $0 == nil } }
}

/// A guest in a session.
struct RecordedGuest: Sendable {
    let connection: GuestConnection
    let vm: VirtualMachine?
    let health = GuestHealth()
    let traceID = UInt64.random(in: 1 ... .max)
    var file: GuestFile?
    var prepared: Message.Prepared?
    var stopped: Message.Stopped?
    var clock: RecordedClock

    init(_ connection: GuestConnection, vm: VirtualMachine?) {
        self.connection = connection
        self.vm = vm
        clock = RecordedClock(machine: connection.target.name)
    }

    var name: String { connection.target.name }
    var fileName: String { "guest-\(name).dat" }

    /// Of its TSC.
    var conversion: CycleConversion? {
        guard let prepared, prepared.multiplier != 0, prepared.shift < 64 else { return nil }
        return CycleConversion(multiplier: prepared.multiplier, shift: prepared.shift, offset: 0)
    }
}

struct RecordingSession: Sendable {
    var guests: [RecordedGuest] = []
    var manifest: Manifest
    var hostReadings: [ClockReading] = []
    /// Raw time of the host's trace clock when KVM was asked last.
    var endTime: RawTime = 0

    var conversion: CycleConversion? { manifest.conversion }

    /// Trace clock of all machines.
    var clock: String { manifest.traceClock }

    init(guests: [RecordedGuest], manifest: Manifest) {
        self.guests = guests
        self.manifest = manifest
    }

    /// Takes in what a guest's agent has prepared.
    mutating func prepared(_ index: Int, _ prepared: Message.Prepared) {
        guests[index].prepared = prepared
        guard let place = manifest.machines.firstIndex(where: { $0.role == .guest && $0.name == guests[index].name })
        else { return }
        manifest.machines[place].events = prepared.enabled.map {
            RecordedEvent(event: $0.name, filter: $0.filter.isEmpty ? nil : $0.filter)
        }
        manifest.machines[place].absentEvents = prepared.absent
        manifest.machines[place].bufferKiB = Int(prepared.bufferKiB)
    }

    mutating func readKVM(_ moment: KVMReading.Moment) {
        for index in guests.indices { guests[index].clock.kvm += guests[index].vm?.kvmReadings(moment) ?? [] }
        endTime = TraceClock(clock)?.read() ?? 0
    }

    /// The shortest bracket of several is the best one.
    mutating func takeHostReading() {
        guard let clock = TraceClock(clock) else { return }
        hostReadings += (0..<8).map { _ in ClockReading.take(clock) }
    }
}

extension Manifest {
    /// From the host's cycles to ns; nil where the trace clock counts ns.
    var conversion: CycleConversion? {
        cycleRate.map { CycleConversion(multiplier: $0.multiplier, shift: $0.shift, offset: 0) }
    }

    /// The manifest of a session that is about to be recorded.
    init(_ plan: RecordingPlan, clock: String, topology: Topology, host: MachineTrace, guests: [RecordedGuest]) {
        let system = SystemName.own
        let hostMachine = RecordedMachine(
            name: system.name, role: .host, file: HostFile.name, release: system.release, cpus: host.cpus.count,
            traceID: UInt64.random(in: 1 ... .max),
            events: host.enabled.map { RecordedEvent(event: $0.event.description, filter: $0.filter) },
            absentEvents: host.absent.map(\.description), bufferKiB: host.bufferKiB)
        let guestMachines = guests.map { guest in
            var machine = RecordedMachine(
                name: guest.name, role: .guest, file: guest.fileName, release: guest.connection.welcome.release,
                cpus: Int(guest.connection.welcome.cpus), traceID: guest.traceID,
                address: guest.connection.target.address.description,
                events: [],
                absentEvents: [], bufferKiB: 0)
            machine.vm = guest.vm?.process
            return machine
        }
        self.init(
            recorder: plan.recorder, started: UTCTime.now, outcome: .recording, traceClock: clock,
            transfer: plan.transfer,
            machines: [hostMachine] + guestMachines, topology: topology,
            command: plan.command.isEmpty ? nil : plan.command)
        if clock == "x86-tsc", let conversion = CycleConversion.ofThisMachine {
            cycleRate = CycleRate(multiplier: conversion.multiplier, shift: conversion.shift)
        }
    }
}

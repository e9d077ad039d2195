// What of a session's findings a reader must be told beside the numbers.

import GuestClocks
import PacketPath
import Sessions
import TraceData

extension SessionFindings {
    /// None for a clean recording.
    package var notes: [Note] {
        var notes = recordingNotes
        for (machine, count) in zip(machines.dropFirst(), inSwings) where count > 0 {
            notes.append(.inSwings(machine: machine.name, packets: count))
        }
        for (machine, clock) in zip(machines.dropFirst(), clocks) {
            // What was not believed.
            notes += clock.candidates.indices.filter { $0 != clock.chosen && clock.candidates[$0].isContradicted }
                .map { .evidenceLeftOut(machine: machine.name, clock.candidates[$0]) }
        }
        for (machine, account) in zip(machines, account.machines) { notes += self.notes(on: machine, account) }
        if followsHost, machines.count == 1, machines[0].hasGuests { notes.append(.hostAlone) }
        for index in machines.indices.dropFirst() {
            guard let overlap = account.overlap(index), overlap.isHardly else { continue }
            notes.append(.hardlyTogether(machine: machines[index].name, overlap))
        }
        for packets in account.unclaimed {
            notes.append(
                .unclaimed(
                    machine: machines[packets.machine].name, device: names.name(packets.device), packets: packets.count)
            )
        }
        for flow in flows where flow.path == .vfio && flow.count(.posted) > 0 {
            notes.append(.posted(machine: machines[flow.machine].name, device: names.name(flow.device)))
        }
        if flows.isEmpty { notes.append(.noPackets(emptiness)) }
        return notes
    }

    /// What the manifest says is missing, and what lies beside what it names.
    private var recordingNotes: [Note] {
        guard let manifest = files.manifest else { return [] }
        var notes: [Note] = []
        var told: Set<String> = []
        if manifest.outcome == .recording { notes.append(.stillRecording) }
        for machine in manifest.machines where machine.file == nil {
            let fault = manifest.fault(of: machine)
            notes.append(.unrecorded(machine: machine.name, reason: fault))
            if let fault { told.insert(fault) }
        }
        notes += manifest.faults.filter { !told.contains($0) }.map { .fault($0) }
        if manifest.outcome == .cutOff, manifest.faults.isEmpty { notes.append(.cutOff) }
        if !files.strangers.isEmpty { notes.append(.strangers(files.strangers)) }
        return notes
    }

    private func notes(on machine: Machine, _ account: MachineAccount) -> [Note] {
        var notes: [Note] = []
        if account.events == 0 { notes.append(.noEvents(file: machine.file.path)) }
        if account.events > 0, !account.absentEvents.isEmpty {
            // arm64 has no such event, and needs none to be told when an interrupt was injected.
            let isX86 = machine.file.formats.contains { $0.name == "kvm_inj_virq" || $0.name == "kvm_pio" }
            let lost = account.absentEvents.filter { isX86 || $0 != "kvm_msi_set_irq" }
                .compactMap { AbsentEvent($0, on: machine.role, ofHost: followsHost) }
            if !lost.isEmpty { notes.append(.absentEvents(machine: machine.name, lost)) }
        }
        let contained = account.containment
        if contained.contradictsMap {
            notes.append(.wrongClock(machine: machine.name, contained))
        } else if contained.outside > 0 {
            notes.append(.misplacedEvents(machine: machine.name, contained))
        }
        if !account.refusedFormats.isEmpty {
            notes.append(.refusedFormats(file: machine.file.path, account.refusedFormats))
        }
        return notes + account.defects.map { .defect(file: machine.file.path, $0) }
    }

    private var emptiness: Note.Emptiness {
        if filter.isNarrow { return .filtered }
        return files.manifest?.measured != nil ? .unmeasured(ofHost: followsHost) : .nowhere(ofHost: followsHost)
    }
}

// What a reader must know before believing the numbers.

import ClockSync
import PacketPath
import Sessions
import TraceData

extension AnalysisReport {
    /// One sentence each; none for a clean recording.
    package var notes: [String] {
        var notes = recordingNotes
        for (machine, count) in zip(machines.dropFirst(), inSwings) where count > 0 {
            notes.append(
                "\(Decimal.counted(count, "packet")) of \(machine.name) lie where a servo swung, or was silent: their stages between host and guest may be "
                    + "further off than the clock's error says")
        }
        for (machine, clock) in zip(machines.dropFirst(), clocks) { notes += Self.notes(on: machine, clock) }
        for (machine, account) in zip(machines, account.machines) {
            notes += Self.notes(on: machine, account, ofHost: followsHost)
        }
        if followsHost, machines.count == 1, machines[0].hasGuests {
            notes.append("no guest's recording was given: these are the host's own packets")
        }
        for index in machines.indices.dropFirst() {
            guard let overlap = account.overlap(index), overlap.isHardly else { continue }
            let name = machines[index].name
            notes.append(
                overlap.isNone
                    ? "by the clock map in use, \(name) was not recorded while the host was"
                    : "by the clock map in use, \(name) and the host recorded together for \(Decimal.microseconds(overlap.common)) µs only: so few events "
                        + "can hardly check it")
        }
        for packets in account.unclaimed {
            notes.append(
                "\(Decimal.counted(packets.count, "packet")) of \(machines[packets.machine].name) \(names.name(packets.device)) could be joined to no "
                    + "queue on the host: it is no virtio-net device, or events are missing (virtlat paths lists what is followed)")
        }
        for flow in flows where flow.path == .vfio && flow.count(.posted) > 0 {
            notes.append(
                "the host has no part in the interrupts of \(machines[flow.machine].name) \(names.name(flow.device)) (posted interrupts): when its "
                    + "packets came to the NIC is not known, their journeys begin in the guest")
        }
        if flows.isEmpty { notes.append(emptyNote) }
        return notes
    }

    /// What the manifest says is missing, and what lies beside what it names.
    private var recordingNotes: [String] {
        guard let manifest = files.manifest else { return [] }
        var notes: [String] = []
        var told: Set<String> = []
        if manifest.outcome == .recording {
            notes.append("this recording is still running, or its recorder was killed: it is not whole")
        }
        for machine in manifest.machines where machine.file == nil {
            let fault = manifest.fault(of: machine)
            // A fault may begin with the machine's name, which need not be said twice.
            let reason = fault.map { $0.hasPrefix("\(machine.name): ") ? $0.dropFirst(machine.name.count + 2) : $0[...] }
            notes.append("\(machine.name) has no recording" + (reason.map { ": \($0)" } ?? ""))
            if let fault { told.insert(fault) }
        }
        notes += manifest.faults.filter { !told.contains($0) }
        if manifest.outcome == .cutOff, manifest.faults.isEmpty { notes.append("this recording was cut off before its time") }
        if !files.strangers.isEmpty {
            notes.append("\(files.strangers.joined(separator: ", ")): not named in \(Manifest.fileName), and left out")
        }
        return notes
    }

    /// What was not believed.
    private static func notes(on machine: Machine, _ clock: GuestClock) -> [String] {
        clock.candidates.indices.filter { $0 != clock.chosen && clock.candidates[$0].isContradicted }.map { index in
            let candidate = clock.candidates[index]
            let count =
                candidate.overlap?.isNone == true
                ? ": it puts all events of \(machine.name) outside the host's recording"
                : candidate.count.map {
                    ": \(Decimal.grouped($0.outside)) of \(Decimal.grouped($0.total)) events lie where its vCPU did not run"
                } ?? ""
            let wrong = candidate.disagreement.map { $0 > 0 ? ", wrong by \(Decimal.microseconds($0)) µs at least" : "" } ?? ""
            return "\(candidate.method.name) of \(machine.name) is not used\(wrong)\(count)"
        }
    }

    /// - Parameter ofHost: the host's own packets are followed, and no guest's.
    private static func notes(on machine: Machine, _ account: MachineAccount, ofHost: Bool) -> [String] {
        var notes: [String] = []
        if account.events == 0 { notes.append("\(machine.file.path) holds no events") }
        if account.events > 0, !account.absentEvents.isEmpty {
            // arm64 has no such event, and needs none to be told when an interrupt was injected.
            let isX86 = machine.file.formats.contains { $0.name == "kvm_inj_virq" || $0.name == "kvm_pio" }
            let lost = account.absentEvents.filter { isX86 || $0 != "kvm_msi_set_irq" }
                .compactMap { Self.consequence(of: $0, on: machine.role, ofHost: ofHost) }
            if !lost.isEmpty {
                notes.append("\(machine.name) has no event of: " + lost.joined(separator: "; "))
            }
        }
        let contained = account.containment
        if contained.contradictsMap {
            notes.append(
                "the clock map of \(machine.name) is wrong: \(contained.outside) of \(contained.inside + contained.outside) of its events lie where "
                    + "no vCPU of it ran; every stage that crosses from host to guest is wrong, and packets may be mistaken for each other")
        } else if contained.outside > 0 {
            notes.append(
                "\(contained.outside) of \(contained.inside + contained.outside) events of \(machine.name) lie where its vCPU did not run")
        }
        for defect in account.defects {
            notes.append(
                "\(machine.file.path): CPU \(defect.cpu): \(defect.count) × bad \(defect.kind.rawValue), first at byte \(defect.offset); "
                    + "what it held is treated as lost")
        }
        return notes
    }

    /// What can't be said without an event; nil when nothing is missing without it.
    private static func consequence(of event: String, on role: MachineRole, ofHost: Bool) -> String? {
        // Readers need not use it: UDP frees with consume_skb.
        if role == .guest || ofHost, event == "skb_copy_datagram_iovec" { return nil }
        if ofHost, let means = Self.hostMeans[event] { return "\(event) (\(means))" }
        let means: [String: String] = [
            "irq_handler_entry": "no interrupt points",
            "softirq_raise": "no interrupt points",
            "napi_gro_receive_entry": "packets are not seen to come in",
            "napi_poll": "the order of the receive queue can't be proven",
            "netif_receive_skb": "no transmit journeys",
            "net_dev_start_xmit": "no journeys",
            "net_dev_xmit": "no nic.xmit, transmit journeys stay incomplete",
            "skb_copy_datagram_iovec": "no vhost.copy: vhost-copy is part of vhost-signal; what comes by a macvtap is not seen",
            "sched_switch": "no vhost.run, vcpu.run and guest.run",
            "sched_waking": "no wake-up points",
            "kvm_entry": "no vcpu.entry, and the clock can't be checked",
            "kvm_exit": "no kick, and the clock can't be checked",
            "kvm_msi_set_irq": "irq.inject is the worker's wake-up of the vCPU, or absent",
            "sys_enter_sendto": "no guest.send",
            "sk_data_ready": silentReaders,
            "sock_recv_length": silentReaders,
        ]
        return means[event].map { "\(event) (\($0))" }
    }

    private static let silentReaders = "UDP's readers leave no other trace from Linux 6.18 on: what they read is not-recorded"

    /// What a host's own packets lack without an event, where that is something else than what a guest's lack.
    private static let hostMeans = [
        // Not every driver has NAPI, or a hardware interrupt: a veth has neither.
        "napi_gro_receive_entry": "packets begin with netif_receive_skb",
        "napi_poll": "interrupts may be mistaken for each other",
        "netif_receive_skb": "no wake-up points",
        "net_dev_start_xmit": "no transmit journeys",
        "consume_skb": "receive journeys stay incomplete, except TCP's",
        "sched_switch": "no app.run",
        "sys_enter_sendto": "no app.send",
    ]

    private var emptyNote: String {
        if filter.isNarrow { return "no packet passes the filters given" }
        let wanted = followsHost ? "the host's own" : "a path that is followed"
        if filter.measured != nil { return "no packet of \(wanted) began while the measurement ran" }
        return "no packet of \(wanted) was found" + (followsHost ? "" : " (virtlat paths lists them)")
    }
}

extension JourneyFilter {
    var isNarrow: Bool { guest != nil || device != nil || direction != nil || since != nil || until != nil }
}

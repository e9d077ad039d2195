// What KVM, vhost and debugfs of a host show of its virtual machines, and what stays hidden.

import LinuxSystem
import Sessions

struct KVMCheck {
    var topology: Topology
    var gaps: [Topology.Gap]
    var system: SystemRoot
    /// The host's name.
    var machine: String
    /// Guests are to be recorded.
    var wantsGuests: Bool
    /// What guests are called by who looks, by their virtual machines' processes.
    var names: [Int32: String]
    var isX86: Bool

    static func isLoaded(_ system: SystemRoot) -> Bool { Folder.exists(system.sys + "/module/kvm") }

    var findings: [Finding] {
        [module].compactMap { $0 } + gaps.map { finding($0) }
            + (topology.vms.isEmpty ? [] : [haltPoll, postedInterrupts].compactMap { $0 })
            + topology.vms.flatMap { [offsets(of: $0), vhost(of: $0)].compactMap { $0 } }
    }

    // MARK: The host

    private var module: Finding? {
        guard Self.isLoaded(system) else {
            return Finding(
                "kvm", wantsGuests ? .error : .note, machine, "KVM is not loaded",
                meaning: wantsGuests
                    ? "no virtual machine of this host uses it, so no guest's packets can be followed"
                    : "only the host itself can be recorded",
                remedy: "modprobe kvm_intel, or kvm_amd")
        }
        guard topology.vms.isEmpty else {
            let labels = topology.vms.map(\.label).joined(separator: ", ")
            return Finding("kvm", .ok, machine, "\(Finding.counted(topology.vms.count, "virtual machine")): \(labels)")
        }
        return Finding(
            "kvm", wantsGuests ? .warning : .note, machine, "no virtual machine uses KVM here",
            meaning: wantsGuests
                ? "packets can't be followed into guests of another host" : "only the host itself can be recorded",
            remedy: wantsGuests
                ? "record on the host that the guests run on, as root; virtlat vms lists its virtual machines" : nil)
    }

    private func finding(_ gap: Topology.Gap) -> Finding {
        let meaning =
            "virtual machines are found by their threads' names only, and KVM's word on the guests' clocks is missing"
        switch gap {
        case .noDebugfs(let path):
            return Finding(
                "debugfs", .warning, machine, "no debugfs at \(path)", meaning: meaning,
                remedy: "mount -t debugfs none \(path)")
        case .unreadableDebugfs(let path, let error):
            return Finding(
                "debugfs", .warning, machine, "\(path): \(error.text)", meaning: meaning, remedy: "run as root")
        case .closedProcesses(let ids):
            return Finding(
                "processes", .warning, machine,
                "what \(ids.map { "process \($0)" }.joined(separator: ", ")) has open can't be read",
                meaning: "the network devices of its virtual machine are unknown", remedy: "run as root")
        }
    }

    private var haltPoll: Finding? {
        topology.host.haltPoll.map { nanoseconds in
            nanoseconds == 0
                ? Finding(
                    "kvm.halt_poll", .note, machine, "halt polling is off",
                    meaning:
                        "a vCPU that sleeps is always woken by the scheduler: it shows as kvm-wakeup, delivery woken")
                : Finding(
                    "kvm.halt_poll", .note, machine, "KVM polls up to \(nanoseconds) ns before a halted vCPU sleeps",
                    meaning:
                        "an interrupt that comes within that time finds the thread running: delivery halt-poll, no vcpu.wake",
                    remedy:
                        "/sys/module/kvm/parameters/halt_poll_ns is the setting, and part of what is measured: leave it as in production"
                )
        }
    }

    private var postedInterrupts: Finding? {
        guard topology.host.postedInterrupts == true else { return nil }
        let passedThrough = topology.vms.filter { $0.devices.contains { $0.kind == .vfio } }.map(\.label)
        return Finding(
            "kvm.posted", passedThrough.isEmpty ? .note : .warning, machine, "posted interrupts are on (APICv or AVIC)",
            meaning:
                "a running vCPU gets its interrupt without a VM exit: what is between irq.inject and guest.irq is one interval, delivery posted"
                + (passedThrough.isEmpty
                    ? ""
                    : "; interrupts of what is passed through to \(passedThrough.joined(separator: ", ")) leave no event on the host"),
            remedy: "none: enable_apicv=0 or avic=0 would show more, and measure another system")
    }

    // MARK: One VM

    private func name(of vm: VirtualMachine) -> String { names[vm.process] ?? vm.label }

    /// KVM's word on the clock, the best evidence there is.
    private func offsets(of vm: VirtualMachine) -> Finding? {
        // arch/x86/kvm/debugfs.c; no other architecture has it.
        guard isX86 else { return nil }
        let readings = vm.kvmReadings(.begin, in: system)
        guard readings.isEmpty || readings.count < vm.vcpus.count else {
            return Finding(
                "clock.offset", .ok, name(of: vm), "KVM tells the TSC offset of each vCPU; \(Self.scaling(readings))")
        }
        return Finding(
            "clock.offset", .warning, name(of: vm),
            "KVM does not tell the TSC offset of \(readings.isEmpty ? "its vCPUs" : "\(vm.vcpus.count - readings.count) of its \(Finding.counted(vm.vcpus.count, "vCPU"))")",
            meaning: ClockCheck.instead,
            remedy: gaps.isEmpty
                ? "ls \(system.kvm)/\(vm.process)-*/vcpu0/tsc-offset, as root"
                : "mount -t debugfs none \(system.debug), as root")
    }

    /// What KVM says of the guest TSC's rate, arch/x86/kvm/debugfs.c: files that are there where the CPU can scale.
    private static func scaling(_ readings: [KVMReading]) -> String {
        if readings.contains(where: \.isScaled) { return "the TSC is scaled, by a ratio that it tells too" }
        return readings.allSatisfy { $0.ratio != nil } ? "the TSC is not scaled" : "it tells no scaling of the TSC"
    }

    /// Who moves the packets between tap and guest.
    private func vhost(of vm: VirtualMachine) -> Finding? {
        let taps = vm.devices.filter { $0.kind != .vfio }
        guard !taps.isEmpty else {
            guard vm.devices.isEmpty, !gaps.contains(.closedProcesses([vm.process])) else { return nil }
            return Finding(
                "vm.devices", .note, name(of: vm), "no tap, macvtap or passed-through device was found",
                meaning: "packets of another plumbing (vhost-user, slirp) can't be followed")
        }
        // A vsock device has a worker of the same name, so workers can't be counted; what is open can.
        let open = ProcessFolder(vm.process, in: system).descriptors.count { $0.link == "/dev/vhost-net" }
        let queues = taps.reduce(0) { $0 + $1.queues }
        let names = taps.map(\.name).joined(separator: ", ")
        guard open < queues else { return Finding("vm.vhost", .ok, name(of: vm), "vhost serves \(names)") }
        return Finding(
            "vm.vhost", .warning, name(of: vm),
            open == 0 ? "no vhost serves \(names)" : "vhost serves \(open) of the \(queues) queues of \(names)",
            meaning: "QEMU's own thread moves the packets: the stages of vhost are its, and its other work is in them",
            remedy:
                "modprobe vhost_net, and -netdev tap,...,vhost=on (libvirt: <driver name='vhost'/>), if that is what you mean to measure"
        )
    }
}

extension VirtualMachine {
    /// Its name, else its process.
    var label: String { name ?? "process \(process)" }
}

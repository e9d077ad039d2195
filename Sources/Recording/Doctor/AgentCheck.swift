// One guest that is to be recorded: whether its agent answers, and what it has in common with this host.

import LinuxSystem
import NIOCore
import NIOPosix
import Sessions

/// What came of asking an agent.
struct AgentAnswer: Sendable {
    var target: GuestTarget
    var result: Result<Message.Welcome, GuestFault>

    /// Asks all of them, and ends each conversation at once.
    static func of(_ targets: [GuestTarget], key: PreSharedKey?) async -> [AgentAnswer] {
        let group: MultiThreadedEventLoopGroup
        do throws(SystemError) { group = try NetworkThread.start() } catch {
            return targets.map {
                AgentAnswer(target: $0, result: .failure(GuestFault(guest: $0.name, reason: FaultText.of(error))))
            }
        }
        let answers = await withTaskGroup(of: (Int, AgentAnswer).self) { tasks in
            for (index, target) in targets.enumerated() {
                tasks.addTask { (index, AgentAnswer(target: target, result: await ask(target, key, on: group))) }
            }
            return await tasks.reduce(into: []) { $0.append($1) }.sorted { $0.0 < $1.0 }.map(\.1)
        }
        try? await group.shutdownGracefully()
        return answers
    }

    private static func ask(_ target: GuestTarget, _ key: PreSharedKey?, on group: any EventLoopGroup) async -> Result<
        Message.Welcome, GuestFault
    > {
        do {
            let connection = try await GuestConnection.open(target, as: .doctor, key: key, on: group)
            // TLS says goodbye both ways, so somebody has to read theirs.
            connection.read(sections: 0, data: { _ in }, lost: { _ in })
            await connection.close()
            return .success(connection.welcome)
        } catch {
            return .failure(error as? GuestFault ?? GuestFault(guest: target.name, reason: FaultText.of(error)))
        }
    }
}

extension [AgentAnswer] {
    /// What the guests that are named are called, by their virtual machines' processes.
    func names(in topology: Topology) -> [Int32: String] {
        var names: [Int32: String] = [:]
        for answer in self {
            let vm: VirtualMachine? =
                switch (answer.result, answer.target.address) {
                case (.success(let welcome), _): topology.vm(of: answer.target, welcome)
                // Who does not answer is known by where it was asked.
                case (.failure, .vsock(let cid, _)): topology.vm(cid: cid)
                case (.failure, .tcp): topology.vm(named: answer.target.name)
                }
            if let vm, names[vm.process] == nil { names[vm.process] = answer.target.name }
        }
        return names
    }
}

struct AgentCheck {
    var answers: [AgentAnswer]
    var topology: Topology
    /// Trace clocks of the host.
    var clocks: [String]
    var hasConversion: Bool
    var host: String
    var system: SystemRoot

    var findings: [Finding] { answers.flatMap { findings($0) } + [session].compactMap { $0 } }

    private func findings(_ answer: AgentAnswer) -> [Finding] {
        let name = answer.target.name
        switch answer.result {
        case .failure(let fault):
            return [
                Finding(
                    "agent", .error, name, fault.reason,
                    meaning: "nothing is recorded as long as one guest that is named does not answer, or is busy",
                    remedy: remedy(fault, answer.target.address))
            ]
        case .success(let welcome):
            let greeting =
                "its agent answers at \(answer.target.address): \(welcome.name), Linux \(welcome.release), "
                + "\(Finding.counted(Int(welcome.cpus), "CPU")), protocol \(welcome.version)"
            return [Finding("agent", .ok, name, greeting), vm(answer.target, welcome)] + clock(name, welcome)
                + SpaceCheck(machine: name).memory(
                    availableKiB: Int(clamping: welcome.availableMemoryKiB), cpus: Int(welcome.cpus))
                + welcome.remarks.map {
                    Finding(
                        "agent.remark", .warning, name, $0,
                        remedy: "virtlat doctor --guest, in this guest, says what it means")
                }
        }
    }

    /// What the host itself knows about an agent that does not answer.
    private func remedy(_ fault: GuestFault, _ address: AgentAddress) -> String? {
        guard case .vsock(let cid, _) = address, fault.isUnreachable, topology.vm(cid: cid) == nil,
            !topology.vms.isEmpty
        else {
            return fault.remedy
        }
        let known = topology.vms.compactMap { vm in vm.cid.map { "\(vm.label) has \($0)" } }
        return
            "no virtual machine of this host has the context id \(cid) (\(known.isEmpty ? "none has any" : known.joined(separator: ", "))): "
            + "-device vhost-vsock-pci,guest-cid=\(cid), or another id in --vm"
    }

    private func vm(_ target: GuestTarget, _ welcome: Message.Welcome) -> Finding {
        guard let vm = topology.vm(of: target, welcome) else {
            return Finding(
                "agent.vm", .warning, target.name, "which virtual machine of this host it is was not found",
                meaning: "its threads are not told from others', and KVM's word on its clock is missing",
                remedy: "name it as QEMU's -name guest= does (virtlat vms lists them), or reach it by vsock")
        }
        let others = answers.filter { other in
            guard other.target.name != target.name, case .success(let welcome) = other.result else { return false }
            return topology.vm(of: other.target, welcome)?.process == vm.process
        }
        guard others.isEmpty else {
            return Finding(
                "agent.vm", .error, target.name,
                "it is the same virtual machine as \(others.map(\.target.name).joined(separator: ", "))",
                meaning: "a session has each guest once", remedy: "name it once, with --vm")
        }
        return Finding(
            "agent.vm", .ok, target.name,
            "it is the virtual machine \(vm.label), process \(vm.process), \(Finding.counted(vm.vcpus.count, "vCPU"))")
    }

    private func clock(_ name: String, _ welcome: Message.Welcome) -> [Finding] {
        let common = clocks.filter(welcome.clocks.contains)
        guard !clocks.isEmpty else { return [] }
        guard common.contains("x86-tsc") || common.contains("mono_raw") else {
            return [
                Finding(
                    "agent.clock", .error, name,
                    "it has neither the trace clock x86-tsc nor mono_raw in common with the host",
                    meaning: "a recording would be refused", remedy: "boot Linux 4.2 or newer in it")
            ]
        }
        guard clocks.contains("x86-tsc"), !common.contains("x86-tsc") else { return [] }
        return [
            Finding(
                "agent.clock", .warning, name, "it has no trace clock x86-tsc", meaning: ClockCheck.instead,
                remedy: "boot a kernel of the host's architecture")
        ]
    }

    /// What the recorder would choose.
    private var session: Finding? {
        let welcomes = answers.compactMap { answer in (try? answer.result.get()).map { (answer.target, $0) } }
        guard !welcomes.isEmpty, welcomes.count == answers.count, !clocks.isEmpty else { return nil }
        let clock = ClockChoice.best(
            host: clocks, guests: welcomes.map(\.1.clocks), hasConversion: hasConversion,
            kvmReadings: welcomes.map { topology.vm(of: $0.0, $0.1)?.kvmReadings(.begin, in: system) ?? [] })
        guard clock != "x86-tsc" else {
            return Finding(
                "clock.session", .ok, host,
                "the session's trace clock would be x86-tsc, the same counter for all machines but for KVM's TSC offsets, which can be read"
            )
        }
        return Finding(
            "clock.session", clocks.contains("x86-tsc") ? .warning : .note, host,
            "the session's trace clock would be \(clock)",
            meaning:
                "guests' times are known to half a round trip between recorder and agent (tens of µs), or to what the trace's own events bound",
            remedy: clocks.contains("x86-tsc")
                ? "x86-tsc takes KVM's TSC offset of each guest that is named: see clock.tsc, clock.offset and agent.vm"
                : nil)
    }
}

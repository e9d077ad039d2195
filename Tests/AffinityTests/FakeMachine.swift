// A process with a QEMU's threads (Tests/FakeVM), to be bound for real.

import Affinity
import Foundation
import LinuxSystem
import Sessions
import Testing

final class FakeMachine {
    private let child: Process
    let vm: VirtualMachine
    /// What binding needs to know of this machine; two CPUs of it are used.
    let host: HostSystem
    let folder: URL

    var binder: Binder { Binder(BindingStore(folder: folder.appendingPathComponent("run/affinity").path)) }
    var worker: Int32 { vm.vhostWorkers[0].thread }
    var states: [String] {
        ((try? FileManager.default.contentsOfDirectory(atPath: binder.store.folder)) ?? []).filter { $0 != "lock" }
            .sorted()
    }

    static let isPossible = geteuid() == 0 && onlineProcessors() > 1
    static let reason: Comment = "BINDING IS NOT TESTED: it needs root and two CPUs"

    /// - Parameter cpus: more CPUs than there are, which the system then refuses.
    init(vcpus: Int = 2, workers: Int = 2, cpus: [String] = []) throws {
        folder = FileManager.default.temporaryDirectory.appendingPathComponent("virtlat-\(UUID().uuidString)")
        try FileManager.default.createDirectory(at: folder, withIntermediateDirectories: true)
        child = Process()
        let tests = try FileManager.default.destinationOfSymbolicLink(atPath: "/proc/self/exe")
        child.executableURL = URL(fileURLWithPath: tests).deletingLastPathComponent().appendingPathComponent("fake-vm")
        child.arguments = ["-smp", "\(vcpus)", "-workers", "\(workers)"]
        let pipe = Foundation.Pipe()
        child.standardOutput = pipe
        try child.run()
        _ = pipe.fileHandleForReading.availableData
        let process = child.processIdentifier
        let threads = ProcessEntry.threads(of: process).sorted().map {
            (id: $0, name: TextFile.optional("/proc/\($0)/comm") ?? "")
        }
        var vm = VirtualMachine(
            name: "web", process: process, cid: nil,
            vcpus: threads.filter { $0.name.hasSuffix("/KVM") }.enumerated().map {
                VCPU(id: $0, thread: $1.id, cpus: "")
            },
            vhostWorkers: threads.filter { $0.name.hasPrefix("vhost-") }.map {
                VhostWorker(thread: $0.id, kind: .process, cpus: "")
            },
            devices: [])
        vm.vhostQueues = workers
        self.vm = vm
        var host = HostSystem(name: "h", release: "6", cpus: 2, haltPoll: nil, postedInterrupts: nil, nics: [])
        host.cores = ["0", "1"] + cpus
        self.host = host
        try #require(vm.vcpus.count == vcpus && vm.vhostWorkers.count == workers)
    }

    deinit {
        if child.isRunning { kill(child.processIdentifier, SIGKILL) }
        try? FileManager.default.removeItem(at: folder)
    }

    func end() {
        kill(child.processIdentifier, SIGKILL)
        child.waitUntilExit()
    }

    /// Its threads as they are: CPUs and class.
    var threads: [String] {
        ([vm.process] + vm.vcpus.map(\.thread) + vm.vhostWorkers.map(\.thread)).map { thread in
            ThreadStatus(of: thread).map { "\($0.cpus) \($0.scheduling)" } ?? "ended"
        }
    }

    @discardableResult
    func bind(_ policy: String?, vcpus: String? = nil, sched: String? = nil, _ term: Binder.Term = .lasting) throws
        -> Binder.Outcome
    {
        try binder.bind(
            BindingRequest(
                policy: policy.flatMap { BindingPolicy($0) }, vcpus: vcpus.flatMap { VCPUPlacement($0) },
                scheduling: sched.flatMap { Scheduling($0) }),
            for: [vm], of: host, term)
    }

    /// Changes what a state file says, as another virtlat or a reboot would have.
    func edit(_ name: String, _ change: (inout [String: Any]) -> Void) throws {
        let file = URL(fileURLWithPath: binder.store.folder + "/" + name)
        var state = try #require(try JSONSerialization.jsonObject(with: Data(contentsOf: file)) as? [String: Any])
        change(&state)
        try JSONSerialization.data(withJSONObject: state).write(to: file)
    }
}

// Which thread goes where, on machines with cores, siblings and caches of their own.

import Affinity
import LinuxSystem
import Sessions
import Testing

@Suite struct BindingPlanTests {
    /// Two caches with two cores each, two threads a core, numbered as Linux does on x86.
    static let large = Processors(
        online: CPUSet(0..<8), cores: ["0,4", "1,5", "2,6", "3,7"].compactMap { CPUSet($0) },
        caches: ["0-1,4-5", "2-3,6-7"].compactMap { CPUSet($0) })
    /// The lab's: two CPUs, no SMT, and a cache for both.
    static let small = Processors(online: CPUSet(0..<2), cores: [CPUSet([0]), CPUSet([1])], caches: [CPUSet(0..<2)])

    /// A VM whose vCPUs may run on these CPUs, threads 101…; its workers are threads 201….
    private func plan(
        _ policy: String? = nil, vcpus: [String], pin: String? = nil, workers: Int = 1, queues: Int? = 1,
        devices: Int = 1,
        sched: String? = nil, on processors: Processors = large, last: Int = 1
    ) throws(BindingFault) -> BindingPlan {
        var vm = VirtualMachine(
            name: "web", process: 100, cid: nil,
            vcpus: vcpus.indices.map { VCPU(id: $0, thread: Int32(101 + $0), cpus: vcpus[$0]) },
            vhostWorkers: (0..<workers).map { VhostWorker(thread: Int32(201 + $0), kind: .kernel, cpus: "0-7") },
            devices: (0..<devices).map {
                GuestDevice(kind: .tap, name: "tap\($0)", address: nil, queues: 1, bridge: nil, nics: [])
            })
        vm.vhostQueues = queues
        var threads: [Int32: ThreadStatus] = [:]
        func add(_ id: Int32, _ cpus: String) {
            threads[id] = ThreadStatus(
                id: id, startTime: 1, name: "t", cpus: CPUSet(cpus) ?? CPUSet([]), scheduling: .other, lastCPU: last)
        }
        add(100, "0-7")
        for vcpu in vm.vcpus { add(vcpu.thread, vcpu.cpus) }
        for worker in vm.vhostWorkers { add(worker.thread, worker.cpus) }
        let request = BindingRequest(
            policy: policy.flatMap { BindingPolicy($0) }, vcpus: pin.flatMap { VCPUPlacement($0) },
            scheduling: sched.flatMap { Scheduling($0) })
        return try BindingPlan(request, for: vm, processors: processors, threads: threads)
    }

    private func workers(_ plan: BindingPlan) -> [String?] {
        plan.changes.compactMap { change in
            if case .vcpu = change.role { return nil }
            return .some(change.cpus?.description)
        }
    }

    @Test(arguments: [
        ("same-cpu", "1"), ("sibling", "5"), ("same-llc", "0,4"), ("other-cpu", "0,2-4,6-7"), ("cpus=3,6", "3,6"),
        ("unbound", "0-8191"),
    ])
    func `each policy has its CPUs`(policy: String, cpus: String) throws {
        let plan = try plan(policy, vcpus: ["1"])
        #expect(workers(plan) == [cpus])
        #expect(plan.notes.isEmpty && plan.changes[0].cpus == nil)
    }

    @Test func `where there is a choice other vCPUs' CPUs are left out`() throws {
        #expect(try workers(plan("same-llc", vcpus: ["1", "4"], queues: 2)) == ["0"])
        #expect(try workers(plan("other-cpu", vcpus: ["1", "4", "2"])) == ["0,3,6-7"])
    }

    @Test func `where there is none it is said whose CPU is shared`() throws {
        let plan = try plan("other-cpu", vcpus: ["0", "1"], workers: 2, queues: 2, on: Self.small)
        #expect(workers(plan) == ["1", "0"])
        #expect(plan.notes == [.sharedCPUs(CPUSet([1])), .sharedCPUs(CPUSet([0]))])
    }

    @Test func `workers go with the vCPUs in turn`() throws {
        #expect(try workers(plan("same-cpu", vcpus: ["2", "3"], workers: 5, queues: 5)) == ["2", "3", "2", "3", "2"])
    }

    @Test func `workers that can't be told from the network's are bound too, and it is said`() throws {
        let plan = try plan("same-cpu", vcpus: ["2"], workers: 2, queues: 1)
        #expect(workers(plan) == ["2", "2"])
        #expect(plan.notes == [.mixedWorkers(workers: 2, queues: 1)])
    }

    @Test func `a vCPU that may move is taken where it ran last, and it is said`() throws {
        let plan = try plan("sibling", vcpus: ["0-7"], last: 3)
        #expect(workers(plan) == ["7"])
        #expect(plan.notes == [.movingVCPU(vcpu: 0, cpu: 3)])
        // A policy that does not ask for it has nothing to say.
        #expect(try self.plan("cpus=1", vcpus: ["0-7"]).notes.isEmpty)
    }

    @Test func `a vCPU with one CPU online does not move`() throws {
        let plan = try plan("same-cpu", vcpus: ["1,64"], last: 0)
        #expect(workers(plan) == ["1"] && plan.notes.isEmpty)
    }

    @Test func `vCPUs are pinned in the order given, and workers follow`() throws {
        let plan = try plan("same-cpu", vcpus: ["0-7", "0-7", "0-7"], pin: "6,2", workers: 2, queues: 2)
        #expect(plan.changes.prefix(3).map(\.cpus?.description) == ["6", "2", "6"])
        #expect(workers(plan) == ["6", "2"])
        #expect(plan.notes == [.crowdedCPU(cpu: 6, vcpus: [0, 2])])
    }

    @Test func `vCPUs are pinned where they run`() throws {
        let plan = try plan(vcpus: ["0-7"], pin: "current", last: 5)
        #expect(plan.changes.map(\.cpus?.description) == ["5"] && plan.notes.isEmpty)
    }

    @Test func `without vhost QEMU's main thread is the worker`() throws {
        for (workers, queues) in [(0, nil), (0, 0), (1, 0)] as [(Int, Int?)] {
            let plan = try plan("same-cpu", vcpus: ["2"], workers: workers, queues: queues)
            #expect(plan.changes.map(\.role) == [.vcpu(0), .mainThread])
            #expect(plan.changes[1].thread.id == 100 && plan.notes == [.mainThread])
        }
    }

    @Test func `a class alone moves nobody`() throws {
        let plan = try plan(vcpus: ["0-7"], sched: "fifo:5")
        #expect(plan.changes.map(\.cpus) == [nil, nil])
        #expect(plan.changes.map(\.scheduling?.description) == [nil, "fifo:5"])
    }

    @Test func `what can't be done is said, and why`() {
        let small = Self.small
        #expect(throws: BindingFault.noSibling(cpu: 0)) { try plan("sibling", vcpus: ["0"], on: small) }
        #expect(throws: BindingFault.offline(CPUSet([8]), online: CPUSet(0..<8))) { try plan("cpus=7-8", vcpus: ["0"]) }
        #expect(throws: BindingFault.offline(CPUSet([9]), online: CPUSet(0..<8))) { try plan(vcpus: ["0"], pin: "9") }
        #expect(throws: BindingFault.noVCPU(vm: "web")) { try plan("same-cpu", vcpus: []) }
        #expect(throws: BindingFault.noWorker(vm: "web")) { try plan("same-cpu", vcpus: ["0"], workers: 0, devices: 0) }
        let alone = Processors(online: CPUSet([0]), cores: [], caches: [])
        #expect(throws: BindingFault.noOtherCPU(cpu: 0)) { try plan("other-cpu", vcpus: ["0"], on: alone) }
        #expect(throws: BindingFault.unknownCache(cpu: 0)) { try plan("same-llc", vcpus: ["0"], on: alone) }
        let pair = Processors(online: CPUSet(0..<2), cores: [CPUSet(0..<2)], caches: [CPUSet(0..<2)])
        #expect(throws: BindingFault.noCacheNeighbour(cpu: 0, cache: CPUSet(0..<2))) {
            try plan("same-llc", vcpus: ["0"], on: pair)
        }
    }

    @Test func `on a machine of one core other-cpu is its sibling`() throws {
        let pair = Processors(online: CPUSet(0..<2), cores: [CPUSet(0..<2)], caches: [])
        #expect(try workers(plan("other-cpu", vcpus: ["0"], on: pair)) == ["1"])
    }

    @Test func `siblings that are offline are none`() throws {
        var half = Self.large
        half.online = CPUSet(0..<4)
        #expect(throws: BindingFault.noSibling(cpu: 1)) { try plan("sibling", vcpus: ["1"], on: half) }
        #expect(try workers(plan("same-llc", vcpus: ["1"], on: half)) == ["0"])
    }

    @Test(arguments: ["same", "cpus=", "cpus=x", "cpus", "SAME-CPU", "", "same-cpu "])
    func `what is no policy is refused`(text: String) { #expect(BindingPolicy(text) == nil) }

    @Test func `policies and placements are written back the same`() {
        for text in ["same-cpu", "sibling", "same-llc", "other-cpu", "cpus=2-3,8", "unbound"] {
            #expect(BindingPolicy(text)?.description == text)
        }
        #expect(VCPUPlacement("3,2")?.description == "3,2")
        #expect(VCPUPlacement("4-6,1") == .cpus([4, 5, 6, 1]))
        #expect(VCPUPlacement("") == nil && VCPUPlacement("now") == nil)
    }
}

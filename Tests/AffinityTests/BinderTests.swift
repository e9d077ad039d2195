// Binding real threads, of a process that does nothing else: what was before always comes back.

import Affinity
import Foundation
import LinuxSystem
import Sessions
import Testing

@Suite(.enabled(if: FakeMachine.isPossible, FakeMachine.reason)) struct BinderTests {
    @Test func `what was before comes back, CPUs and class`() throws {
        let machine = try FakeMachine()
        try CPUSet([1]).set(on: machine.worker)
        try Scheduling(policy: 3, priority: 0).set(on: machine.worker)
        let before = machine.threads
        try machine.bind("same-cpu", vcpus: "0,1", sched: "fifo:2")
        #expect(Array(machine.threads.dropFirst()) == ["0 other", "1 other", "0 fifo:2", "1 fifo:2"])
        let report = try machine.binder.restore()
        #expect(report.vms == ["web"] && report.threads == 4 && report.faults.isEmpty)
        #expect(machine.threads == before)
        #expect(machine.states == [])
        #expect(try machine.binder.restore() == RestoreReport())
    }

    @Test func `of several bindings what was before the first comes back`() throws {
        let machine = try FakeMachine()
        let before = machine.threads
        try machine.bind("cpus=0")
        try machine.bind("cpus=1", sched: "rr:1")
        try machine.bind(nil, vcpus: "1")
        #expect(Array(machine.threads.dropFirst()) == ["1 other", "1 other", "1 rr:1", "1 rr:1"])
        _ = try machine.binder.restore()
        #expect(machine.threads == before)
    }

    @Test func `after a recording a lasting binding is there again`() throws {
        let machine = try FakeMachine()
        let before = machine.threads
        try machine.bind("cpus=0")
        let bound = machine.threads
        try machine.bind("cpus=1", vcpus: "0", .recording)
        #expect(machine.states.count == 2)
        _ = try machine.binder.restore(ownedBy: processID())
        #expect(machine.threads == bound)
        _ = try machine.binder.restore()
        #expect(machine.threads == before)
    }

    @Test func `what a recording has bound nobody else touches while it goes on`() throws {
        let machine = try FakeMachine()
        try machine.bind("cpus=0")
        try machine.bind("cpus=1", .recording)
        let held = BindingFault.held(vm: "web", recorder: processID())
        #expect(throws: held) { try machine.bind("cpus=0") }
        #expect(throws: held) { try machine.bind("cpus=0", .recording) }
        let bound = machine.threads
        #expect(try machine.binder.restore().faults == [held])
        #expect(try machine.binder.restoreAbandoned() == RestoreReport())
        #expect(machine.threads == bound)
    }

    @Test func `what the system refuses leaves everything as it was`() throws {
        let machine = try FakeMachine(cpus: ["5000"])
        let before = machine.threads
        // The first vCPU can be pinned; the second goes to a CPU that is not there.
        #expect(throws: BindingFault.self) { try machine.bind("same-cpu", vcpus: "0,5000", sched: "fifo:1") }
        #expect(machine.threads == before && machine.states == [])
        try machine.bind("cpus=1")
        let bound = machine.threads
        let states = machine.states
        #expect(
            throws: BindingFault.refused(
                thread: machine.vm.vcpus[1].thread, name: "CPU 1/KVM",
                SystemError(call: "sched_setaffinity", errno: EINVAL))
        ) {
            try machine.bind("cpus=0", vcpus: "0,5000")
        }
        #expect(machine.threads == bound && machine.states == states)
        _ = try machine.binder.restore()
        #expect(machine.threads == before)
    }

    @Test func `the account is root's alone`() throws {
        let machine = try FakeMachine()
        try machine.bind("cpus=0")
        func mode(_ path: String) -> Int? {
            (try? FileManager.default.attributesOfItem(atPath: path))?[.posixPermissions] as? Int
        }
        #expect(mode(machine.binder.store.folder) == 0o700)
        #expect(mode(machine.binder.store.folder + "/" + (machine.states.first ?? "")) == 0o600)
        try FileManager.default.setAttributes([.posixPermissions: 0o777], ofItemAtPath: machine.binder.store.folder)
        #expect(throws: BindingFault.foreignFolder(path: machine.binder.store.folder)) { try machine.bind("cpus=1") }
    }

    // MARK: What others have left

    @Test func `what a recorder that is gone has left is restored by the next one first`() throws {
        let machine = try FakeMachine()
        let before = machine.threads
        try machine.bind("cpus=0", vcpus: "1", .recording)
        // A process of our id, but an earlier one.
        try machine.edit("\(machine.vm.process)-recording.json") { $0["owner"] = ["process": processID(), "start": 1] }
        let outcome = try machine.bind("cpus=1")
        #expect(outcome.restored.vms == ["web"] && outcome.restored.threads == 4)
        #expect(Array(machine.threads.dropFirst(3)) == ["1 other", "1 other"])
        _ = try machine.binder.restore()
        #expect(machine.threads == before)
    }

    @Test func `half of a binding is restored by the next virtlat`() throws {
        let machine = try FakeMachine()
        let before = machine.threads
        try machine.bind("cpus=0")
        try machine.edit("\(machine.vm.process)-bind.json") { $0["owner"] = ["process": processID(), "start": 1] }
        #expect(try machine.binder.restoreAbandoned().vms == ["web"])
        #expect(machine.threads == before && machine.states == [])
    }

    @Test func `a thread that has a former one's id is left alone`() throws {
        let machine = try FakeMachine()
        try machine.bind("cpus=0")
        try machine.edit("\(machine.vm.process)-bind.json") { state in
            var threads = state["threads"] as? [[String: Any]] ?? []
            threads[0]["start"] = 1
            state["threads"] = threads
        }
        let report = try machine.binder.restore()
        #expect(report.threads == 1 && report.ended == 1)
        #expect(ThreadStatus(of: machine.worker)?.cpus == CPUSet([0]))
        #expect(machine.states == [])
    }

    @Test func `a process that has a former one's id is left alone, and the account is dropped`() throws {
        let machine = try FakeMachine()
        try machine.bind("cpus=0")
        let bound = machine.threads
        try machine.edit("\(machine.vm.process)-bind.json") { $0["process_start"] = 1 }
        #expect(try machine.binder.restore().gone == ["web"])
        #expect(machine.threads == bound && machine.states == [])
    }

    @Test func `a machine that has ended leaves no account`() throws {
        let machine = try FakeMachine()
        try machine.bind("cpus=0")
        machine.end()
        let report = try machine.binder.restore()
        #expect(report.gone == ["web"] && report.vms.isEmpty && report.faults.isEmpty && machine.states == [])
        #expect(throws: BindingFault.gone(vm: "web")) { try machine.bind("cpus=1") }
    }

    @Test func `an account that can't be read is named and kept, and others are restored`() throws {
        let machine = try FakeMachine()
        let before = machine.threads
        try machine.bind("cpus=0")
        let store = machine.binder.store.folder
        let bad = [
            "1-bind.json": "", "2-bind.json": "{}", "3-bind.json": "{\"schema\": 2}",
            "4-bind.json": #"{"schema":1,"process":5,"process_start":1,"threads":[],"for_recording":false}"#,
            "6-bind.json":
                #"{"schema":1,"process":6,"process_start":1,"for_recording":false,"threads":[{"thread":-1,"start":1,"name":"","cpus":"0","policy":0,"priority":0}]}"#,
        ]
        for (name, text) in bad { try Data(text.utf8).write(to: URL(fileURLWithPath: store + "/" + name)) }
        let report = try machine.binder.restore()
        #expect(report.vms == ["web"] && machine.threads == before)
        #expect(report.faults.count == bad.count)
        #expect(machine.states == bad.keys.sorted())
    }

    @Test func `nothing is bound on top of an account that can't be read`() throws {
        let machine = try FakeMachine()
        try machine.bind("cpus=0")
        let bound = machine.threads
        let path = machine.binder.store.folder + "/" + (machine.states.first ?? "")
        try Data("{".utf8).write(to: URL(fileURLWithPath: path))
        #expect(throws: BindingFault.malformed(path: path, reason: "it is not what virtlat writes")) {
            try machine.bind("cpus=1")
        }
        #expect(machine.threads == bound)
        // Another machine is not concerned.
        try Data("{".utf8).write(to: URL(fileURLWithPath: machine.binder.store.folder + "/1-bind.json"))
        try FileManager.default.removeItem(atPath: path)
        try machine.bind("cpus=1")
    }

    @Test func `several at once bind and restore one after the other`() async throws {
        let machine = try FakeMachine()
        let before = machine.threads
        let (binder, vm, host) = (machine.binder, machine.vm, machine.host)
        await withTaskGroup(of: Void.self) { tasks in
            for number in 0..<40 {
                tasks.addTask {
                    if number % 4 == 3 {
                        _ = try? binder.restore()
                    } else {
                        _ = try? binder.bind(
                            BindingRequest(policy: .cpus(CPUSet([number % 2]))), for: [vm], of: host, .lasting)
                    }
                }
            }
        }
        #expect(try binder.restore().faults.isEmpty)
        #expect(machine.threads == before && machine.states == [])
    }

    @Test func `planning changes nothing, and leaves no account`() throws {
        let machine = try FakeMachine()
        let before = machine.threads
        let plans = try machine.binder.plan(
            BindingRequest(policy: .cpus(CPUSet([1]))), for: [machine.vm], of: machine.host)
        #expect(plans.count == 1 && machine.threads == before && !machine.binder.store.exists)
    }
}

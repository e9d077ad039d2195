// experiment.json: the order is drawn by lot, and what is read is what was written.

import Foundation
import Sessions
import Testing

@Suite struct ExperimentTests {
    private func design(arms: [String] = ["unbound", "same-cpu", "sibling"], rounds: Int = 6, seed: UInt64 = 7)
        -> Experiment.Design
    {
        Experiment.Design(
            arms: arms.map {
                Experiment.Arm(name: $0, binding: Manifest.Binding(policy: $0, vcpus: "2,3", scheduling: nil))
            },
            rounds: rounds, seed: seed, duration: 5_000_000_000, settle: 1_000_000_000, workload: nil,
            vms: ["web=vsock:3"])
    }

    private func experiment(_ design: Experiment.Design) -> Experiment {
        Experiment(design, recorder: "virtlat 0.1.0", started: "2026-11-22T18:18:09Z")
    }

    @Test func `each round has every arm once`() {
        let experiment = experiment(design())
        #expect(experiment.runs.map(\.round) == (1...6).flatMap { [$0, $0, $0] })
        for round in 1...6 {
            #expect(
                experiment.runs.filter { $0.round == round }.map(\.arm).sorted() == ["same-cpu", "sibling", "unbound"])
        }
        #expect(Set(experiment.runs.map(\.folder)).count == 18)
    }

    @Test func `a seed means an order, and each arm comes first as often as the others`() {
        let first = experiment(design())
        #expect(experiment(design()) == first)
        #expect(experiment(design(seed: 8)).runs != first.runs)
        let long = experiment(design(rounds: 3000))
        for arm in ["unbound", "same-cpu", "sibling"] {
            for place in 0..<3 {
                let count = (0..<3000).count { long.runs[$0 * 3 + place].arm == arm }
                // Six standard deviations.
                #expect(abs(count - 1000) < 160, "\(arm) is \(count) times at place \(place)")
            }
        }
    }

    /// By the definition of splitmix64: an experiment begun elsewhere goes on in the same order.
    @Test func `the order is the same on every machine`() {
        let rounds = [
            ["same-cpu", "sibling", "unbound"], ["sibling", "same-cpu", "unbound"], ["unbound", "sibling", "same-cpu"],
        ]
        #expect(experiment(design(rounds: 3)).runs.map(\.arm) == rounds.flatMap { $0 })
    }

    @Test func `it is read as it was written`() throws {
        let folder = try TemporaryFolder()
        defer { folder.remove() }
        #expect(try Experiment.read(folder: folder.path) == nil)
        var experiment = experiment(design())
        experiment.runs[1].outcome = .complete
        experiment.runs[2].broken = 2
        experiment.runs[2].fault = "g: lost"
        try experiment.write(folder: folder.path)
        #expect(try Experiment.read(folder: folder.path) == experiment)
        #expect(experiment.sessions(of: experiment.runs[1].arm) == [experiment.runs[1].folder])
    }

    @Test(arguments: ["", "{}", "[]", "{\"schema\": 2}"])
    func `what is no account of an experiment is refused`(text: String) throws {
        let folder = try TemporaryFolder()
        defer { folder.remove() }
        let file = try folder.write(text, to: Experiment.fileName)
        #expect(throws: Experiment.Fault.malformed(path: file)) { try Experiment.read(folder: folder.path) }
    }

    @Test func `an account whose runs are not those of its design, or whose names lead elsewhere, is refused`() throws {
        let folder = try TemporaryFolder()
        defer { folder.remove() }
        var other = experiment(design())
        other.runs.removeLast()
        let evil = experiment(design(arms: ["../../etc", "same-cpu"]))
        for account in [other, evil] {
            try account.write(folder: folder.path)
            #expect(throws: Experiment.Fault.malformed(path: folder.path + "/" + Experiment.fileName)) {
                try Experiment.read(folder: folder.path)
            }
        }
    }

    @Test func `names are made of what folders and commands can bear`() {
        #expect(Experiment.Arm.name("cpus=2-3,8+fifo:10") == "cpus-2-3-8-fifo-10")
        #expect(Experiment.Arm.isName("cpus-2-3-8-fifo-10"))
        for name in ["", ".hidden", "a/b", "a b", "a=b", "a,b"] { #expect(!Experiment.Arm.isName(name)) }
    }
}

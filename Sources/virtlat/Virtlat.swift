// The command: its verbs are the other files of this folder.

import ArgumentParser
import LinuxSystem

@main
struct Virtlat: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "virtlat",
        abstract: "Tells where a packet's time goes between a KVM host's NIC and the application in its guest.",
        version: "0.1.0",
        subcommands: [
            Record.self, Analyze.self, Explain.self, Compare.self, ExperimentVerb.self, Bind.self, ClockVerb.self,
            Paths.self,
            AgentVerb.self, VMs.self,
            DoctorVerb.self, GuardVerb.self, ScanVerb.self,
        ])

    static func main() async {
        StandardStreams.prepare()
        do {
            var command = try parseAsRoot()
            guard var waiting = command as? any AsyncParsableCommand else { return try command.run() }
            try Failure.reported { try checkWaiting() }
            if let agent = waiting as? AgentVerb {
                // Rights are a thread's own, and the first one that is waited for makes others: before that there is
                // one.
                let prepared = try agent.prepare()
                try await agent.run(prepared)
            } else {
                try await waiting.run()
            }
        } catch {
            exit(withError: error)
        }
    }
}

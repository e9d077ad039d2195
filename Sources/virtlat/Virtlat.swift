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
            Record.self, Analyze.self, Compare.self, ExperimentVerb.self, Bind.self, ClockVerb.self, Paths.self, AgentVerb.self, VMs.self,
            DoctorVerb.self, GuardVerb.self,
        ])

    static func main() async {
        StandardStreams.prepare()
        await main(nil)
    }
}

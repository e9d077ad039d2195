// The executable of the lab: its verbs are Echo, Ping and Redirect.

import ArgumentParser
import LinuxSystem

@main
struct LabTools: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "lab-tools",
        abstract: "What runs at the ends of the path under test, and writes down when.",
        discussion: """
            ping runs outside, echo in the guest, redirect on the host. The logs of ping and echo are CSV: columns that begin \
            with t_ are CLOCK_MONOTONIC in ns, columns that begin with tsc_ are the TSC in ticks (CNTVCT_EL0 on arm64).
            """,
        subcommands: [Echo.self, Ping.self, Redirect.self])

    static func main() {
        StandardStreams.prepare()
        main(nil)
    }
}

enum Transport: String, ExpressibleByArgument, CaseIterable {
    case udp, tcp
}

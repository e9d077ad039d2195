// virtlat doctor: what a recording would not see, before it is made.

import ArgumentParser
import LinuxSystem
import Recording
import Sessions

struct DoctorVerb: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "doctor",
        abstract: "Say what a recording would not see, or not exactly, before it is made.",
        usage: """
            virtlat doctor [--vm NAME=ADDRESS] ... [--key-file FILE] [-o FOLDER] [options]
            virtlat doctor --guest [options]
            """,
        discussion: """
            Looks at everything that record depends on, on this host and in the guests that are named, and says of each thing whether it is \
            well, what it means for the breakdown if it is not, and what to do. An ftrace instance is made, its events are switched on while \
            tracing stays off, and it is removed again; each agent is greeted and left. Nothing is recorded, and no setting is changed.

            EXAMPLES
              virtlat doctor
                  this host alone

              virtlat doctor --vm web=vsock:3
                  and whether the agent of web answers, which virtual machine it is, and how exact its clock would be

              virtlat doctor --vm web=tcp:10.0.0.3 --key-file virtlat.key --format json | jq '.findings[] | select(.severity != "ok")'
                  for a program

              virtlat doctor --guest
                  in a guest: what its agent needs

            EXIT STATUS
              0  nothing would keep a recording from being made, though there may be warnings
              1  there is an error: a recording would fail, or be of no use
              64 wrong usage
            """)

    @Option(
        help: ArgumentHelp(
            "A guest and where its agent is: NAME=vsock:CID[:PORT] or NAME=tcp:HOST[:PORT].", valueName: "name=address")
    )
    var vm: [String] = []

    @Option(help: ArgumentHelp("The key that the agents have too, for tcp.", valueName: "file"), completion: .file())
    var keyFile: String?

    @Option(
        name: [.short, .customLong("output")],
        help: "The session folder that is to be made; one in the current folder by default.",
        completion: .directory)
    var output: String?

    @Flag(help: "Look at this guest, instead of a host.")
    var guest = false

    @Option(help: "How to print: text or json.")
    var format = Format.text

    enum Format: String, ExpressibleByArgument, CaseIterable { case text, json }

    func validate() throws {
        _ = try GuestTarget.parsed(vm, keyFile: keyFile)
        if guest, !vm.isEmpty || keyFile != nil || output != nil {
            throw ValidationError(
                "--guest looks at the guest it runs in; --vm, --key-file and --output are for the host.")
        }
    }

    func run() async throws {
        let isWell = try await Failure.reported {
            let findings = try await findings()
            var stream = OutputStream.standardOutput()
            switch format {
            case .text: try stream.write(FindingText.text(findings, colour: Terminal.outputHasColour))
            case .json: try stream.write(bytes: Manifest.encoded(Document(findings: findings)))
            }
            try stream.flush()
            return findings.allSatisfy { $0.severity < .error }
        }
        if !isWell { throw ExitCode(1) }
    }

    private func findings() async throws -> [Finding] {
        if guest { return Doctor().guest() }
        return await Doctor().host(
            guests: try GuestTarget.parsed(vm, keyFile: keyFile), key: try keyFile.map { try PreSharedKey(file: $0) },
            output: output ?? "virtlat-\(UTCTime.stamp)")
    }

    private struct Document: Encodable {
        /// Raised when anything in it changes.
        var schema = 1
        var findings: [Finding]
    }
}

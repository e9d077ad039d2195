// virtlat agent: lets a host record this guest.

import ArgumentParser
import Glibc
import LinuxSystem
import Recording

struct AgentVerb: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "agent",
        abstract: "Let the host record this guest.",
        usage: """
            virtlat agent [--vsock [PORT]] [options]
            virtlat agent --tcp ADDRESS[:PORT] --key-file FILE [options]
            virtlat agent --new-key FILE
            """,
        discussion: """
            Runs in a guest, as root, and traces it when virtlat record on the host asks for it: one ftrace instance of its own, one \
            session at a time (of all agents on this machine together), and nothing else. On vsock only the host (context id 2) is answered. On TCP both sides prove that they \
            have the same key and everything is encrypted (TLS 1.2, ECDHE-PSK); without a key it does not listen. When the host goes away, \
            tracing is switched off and the instance removed within 5 s.

            EXAMPLES
              virtlat agent
                  listen on vsock, port \(AgentAddress.port), for the host

              virtlat agent --new-key /etc/virtlat.key
                  make a key, and copy the file to the host

              virtlat agent --tcp 10.0.0.3 --key-file /etc/virtlat.key
                  listen on one address of this guest, where there is no vsock

            EXIT STATUS
              0  ended by SIGINT, SIGTERM or SIGHUP, or the key was made
              1  ftrace or the address can't be used
              64 wrong usage
            """)

    @Flag(help: "Listen on vsock (the default).")
    var vsock = false

    @Argument(help: ArgumentHelp("The vsock port; \(AgentAddress.port) by default.", valueName: "port"))
    var port: UInt32?

    @Option(help: ArgumentHelp("Listen on this address instead.", valueName: "address[:port]"))
    var tcp: String?

    @Option(help: ArgumentHelp("The key that the host has too, for --tcp.", valueName: "file"), completion: .file())
    var keyFile: String?

    @Option(help: ArgumentHelp("Make a key in a new file, and end.", valueName: "file"), completion: .file())
    var newKey: String?

    @Option(
        help: ArgumentHelp(
            "Keep the trace in this folder until it is sent, instead of in memory.", valueName: "folder"),
        completion: .directory)
    var spool: String?

    @Option(help: ArgumentHelp("Answer this vsock context id instead of the host's (2), or 'any'.", valueName: "cid"))
    var allow: String?

    func validate() throws {
        if tcp != nil, vsock || port != nil || allow != nil {
            throw ValidationError("--tcp and vsock exclude each other.")
        }
        if tcp != nil, keyFile == nil {
            throw ValidationError(
                "--tcp needs --key-file FILE: without a key anybody on the network could trace this machine. Make one with --new-key FILE."
            )
        }
        if let tcp, AgentAddress.hostAndPort(tcp[...]) == nil { throw ValidationError("--tcp \(tcp) is no address.") }
        if let port, port == 0 || port == .max { throw ValidationError("vsock has no port \(port).") }
        if let allow, allow != "any", UInt32(allow) == nil {
            throw ValidationError("--allow \(allow) is neither a context id nor 'any'.")
        }
    }

    func run() async throws { try await run(prepare()) }

    /// What is done while this program has one thread: the agent that is to run, with no more rights than it needs; nil
    /// when the key was all.
    func prepare() throws -> Agent? {
        try Failure.reported {
            if let newKey {
                try PreSharedKey.make(file: newKey)
                Terminal.printError(
                    "virtlat: the key is in \(newKey); copy it to the other side, and keep it from others\n")
                return nil
            }
            // Both may take rights that are gone afterwards.
            let key = try keyFile.map { try PreSharedKey(file: $0) }
            try Agent.findTracing()
            return Agent(
                address, key: key, allowedContexts: allowedContexts, spoolFolder: spool,
                watch: AgentRights.drop(port: address.port) { log("note: \($0)") })
        }
    }

    func run(_ agent: Agent?) async throws {
        guard let agent else { return }
        try await Failure.reported {
            let stop = StopRequest()
            try Signals.handle([SIGINT, SIGTERM, SIGHUP]) { stop.make(by: $0) }
            try await agent.run(
                until: { await stop.wait() }, log: log, listening: { [address] in log("listening on \(address)") })
            if let signal = stop.signal { log("ended by \(Signals.name(signal))") }
        }
    }

    private func log(_ line: String) { Terminal.printError("virtlat agent: \(line)\n") }

    private var address: AgentListenAddress {
        if let tcp, let (host, port) = AgentAddress.hostAndPort(tcp[...]) { return .tcp(host: host, port: port) }
        return .vsock(port: port ?? UInt32(AgentAddress.port))
    }

    private var allowedContexts: Set<UInt32>? {
        guard let allow else { return [2] }
        return UInt32(allow).map { [$0] }
    }
}

// What every verb that follows one session's packets is told of it: the files, which packets, by which clocks.

import ArgumentParser
import Findings
import GuestClocks
import PacketPath

struct SessionOptions: ParsableArguments {
    @Argument(
        help: "A folder that holds .dat files, or the .dat files themselves.", completion: .file(extensions: ["dat"]))
    var input: [String]

    @Option(help: "Only this guest, by name.")
    var guest: String?

    @Option(help: "Only this device, by its name in the guest or on the host.")
    var device: String?

    @Option(help: "Only rx (to the guest) or tx (from it).")
    var direction: DirectionName?

    @Option(help: "Only packets from this time on, counted from the start of the measurement (2s, 150ms, 30us).")
    var since: Duration?

    @Option(help: "Only packets before this time, counted from the start of the measurement.")
    var until: Duration?

    @Option(
        help: ArgumentHelp(
            "The path that all packets take, whatever their events say (virtlat paths lists them).", valueName: "path"))
    var path: PathName?

    @OptionGroup var clockOptions: ClockOptions

    enum DirectionName: String, ExpressibleByArgument, CaseIterable {
        case rx, tx
        var direction: Direction { self == .rx ? .receive : .transmit }
    }

    func validate() throws {
        if let since, let until, until.nanoseconds <= since.nanoseconds {
            throw ValidationError("--until \(until) does not lie after --since \(since).")
        }
    }

    /// The session, opened, and how it is to be read.
    func pass() throws -> SessionPass {
        let session = try Session(input)
        try session.check(guest: guest, named: "this session")
        return SessionPass(
            session, clock: clockOptions.clock.selection, servoLogs: try clockOptions.evidence(session.machines),
            path: path?.kind,
            filter: JourneyFilter(
                guest: guest, device: device, direction: direction?.direction, since: since?.nanoseconds,
                until: until?.nanoseconds))
    }
}

// virtlat scan: started by record to read what a guest sent, without root's rights; not for people.

import ArgumentParser
import Recording

struct ScanVerb: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "scan", abstract: "Read the trace on standard input.", shouldDisplay: false)

    @Argument(help: "The first marker.")
    var first: UInt32

    @Argument(help: "The first marker that is not asked for.")
    var end: UInt32

    @Argument(help: "The agent's threads, with commas between them.")
    var threads: String

    @Argument(help: "The events.")
    var events: [String] = []

    func validate() throws {
        guard first <= end else { throw ValidationError("\(first) lies behind \(end).") }
    }

    func run() throws {
        let request = ConfinedScan.Request(
            markers: first..<end, threads: threads.split(separator: ",").compactMap { Int32($0) }, events: events)
        throw ExitCode(ConfinedScan.run(request))
    }
}

// The executable of the native harness: its verbs are List, Run and Check.

import ArgumentParser
import LinuxSystem

@main
struct NativeTraffic: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "native-traffic",
        abstract: "Send and read in every way an application may, and hold what virtlat says against it.",
        discussion: """
            run makes two network namespaces with a veth pair between them, sends and reads in one kind after the \
            other, and writes down of each packet which call sent it and which call returned it. check compares that \
            with the packets that virtlat found in a recording of the same time. The recording must have the trace \
            clock mono, so that both have one clock:

              virtlat record -o S --trace-clock mono -- native-traffic run --log L
              virtlat analyze S --format json --packets P.csv > R.json
              native-traffic check --log L --packets P.csv --report R.json

            Tests/Native/hold does all of it, with a recording of each kind's own.
            """,
        subcommands: [List.self, Run.self, Check.self, ReadInherited.self])

    static func main() {
        StandardStreams.prepare()
        main(nil)
    }
}

/// native-traffic list
struct List: ParsableCommand {
    static let configuration = CommandConfiguration(abstract: "Print the kinds, one a line.")

    @Flag(help: "Only their names.")
    var names = false

    func run() {
        for kind in Kind.all { print(names ? kind.name : kind.name.padded(to: 20) + kind.summary) }
    }
}

extension String {
    func padded(to width: Int) -> String { self + String(repeating: " ", count: Swift.max(0, width - count)) }
    func indented(to width: Int) -> String { String(repeating: " ", count: Swift.max(0, width - count)) + self }
}

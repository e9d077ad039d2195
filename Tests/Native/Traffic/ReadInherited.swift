// native-traffic read-inherited: a second process that reads one socket. Not for people.

import ArgumentParser
import Glibc
import LinuxSystem

struct ReadInherited: ParsableCommand {
    static let configuration = CommandConfiguration(
        abstract: "Read datagrams from descriptor 3 until none has come for half a second.", shouldDisplay: false)

    @Option var kind: String

    func run() {
        // It is there.
        _ = Glibc.write(STDOUT_FILENO, "\n", 1)
        let reader = Reader(kind, 0, ExchangeState(expected: .max))
        let end = monotonicNanoseconds() + 70_000_000_000
        // Before the first one it may be waiting for a recording to begin.
        var last: Int64?
        while monotonicNanoseconds() < end, monotonicNanoseconds() - (last ?? monotonicNanoseconds()) < 500_000_000 {
            if reader.call({ recv(3, $0.baseAddress, $0.count, 0) }) > 0 { last = monotonicNanoseconds() }
        }
        for row in reader.rows { print(row.text) }
    }
}

// Counts by another program, trace-cmd, to hold ours against.

import Testing

/// What trace-cmd says of a file: how many events, and when the first and the last was (ns).
struct Counted {
    var events: Int64
    var first: Int64
    var last: Int64

    init(_ file: String) async throws {
        try Command.path(of: "trace-cmd", package: "trace-cmd")
        let run = try await Command.shell(
            #"""
            trace-cmd report -t -i "$1" | awk 'match($0, /\] +[0-9]+\.[0-9]+: /) {
                time = substr($0, RSTART + 1, RLENGTH - 3); gsub(/[ .]/, "", time)
                if (!count++) first = time; last = time } END { print count, first, last }'
            """#, file)
        let numbers = run.output.split(whereSeparator: \.isWhitespace).compactMap { Int64($0) }
        try #require(numbers.count == 3, "\(run.output)\(run.errors)")
        (events, first, last) = (numbers[0], numbers[1], numbers[2])
    }

    /// Events that the kernel says it overwrote, on all CPUs.
    static func overruns(_ file: String) async throws -> Int64 {
        try await sum(
            "trace-cmd report --stat -i \"$1\" | awk '$1 == \"overrun:\" { sum += $2 } END { print sum }'", file)
    }

    /// Events missing in the holes that say how many.
    static func dropped(_ file: String) async throws -> Int64 {
        try await sum(
            "trace-cmd report -i \"$1\" | awk 'match($0, /[0-9]+ EVENTS DROPPED/) { sum += substr($0, RSTART) + 0 } END { print sum }'",
            file)
    }

    private static func sum(_ line: String, _ file: String) async throws -> Int64 {
        let run = try await Command.shell(line, file)
        let number = try #require(
            Int64(run.output.split(whereSeparator: \.isWhitespace).joined()), "\(run.output)\(run.errors)")
        try #require(number > 0)
        return number
    }
}

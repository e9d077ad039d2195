// One line of a log of linuxptp's programs.

/// A line that is known, taken apart.
///
/// All of linuxptp prints by print.c: `program[seconds.milliseconds]: [message_tag ]text` to the terminal, and
/// `[seconds.milliseconds] [message_tag ]text` to syslog, before which syslog or the journal put `Nov 22 23:57:36 host
/// program[pid]: `. The texts are those of clock.c, port.c, clockcheck.c, phc2sys.c and ts2phc.c.
struct ServoLine {
    var program: String
    var time: Nanoseconds
    var content: Content

    enum Content {
        /// The report's source is filled in by who keeps the sources.
        case report(clock: String, ServoLog.Report)
        case port(Int, from: String, to: String)
        /// clockcheck.c: another program sets the clock, or it runs at an impossible rate.
        case jump
        /// Words of the program that say nothing of the clock.
        case note
    }

    /// - Returns: nil for what no known program prints.
    init?(_ line: Substring.UTF8View) {
        guard let stamp = Self.stamp(in: line) else { return nil }
        time = stamp.time
        program = stamp.program
        let words = line[stamp.end...].split(separator: UInt8(ascii: " "), maxSplits: 40).map { Substring($0) }
        guard let content = Self.report(words, time: stamp.time) ?? Self.port(words) ?? Self.other(words) else {
            return nil
        }
        self.content = content
    }

    /// The first `[digits.ddd]` (a pid has no fraction), and the program before it.
    private static func stamp(in line: Substring.UTF8View) -> (
        time: Nanoseconds, program: String, end: Substring.UTF8View.Index
    )? {
        var search = line.startIndex
        while let open = line[search...].firstIndex(of: UInt8(ascii: "[")) {
            let inside = line[line.index(after: open)...]
            guard let close = inside.firstIndex(of: UInt8(ascii: "]")) else { return nil }
            if let time = seconds(inside[..<close]) {
                var before = line[..<open]
                let touches = before.last.map { $0 != UInt8(ascii: " ") } ?? false
                var end = line.index(after: close)
                if touches {
                    // On the terminal a colon follows.
                    guard end < line.endIndex, line[end] == UInt8(ascii: ":") else { return nil }
                    end = line.index(after: end)
                } else {
                    // `program[pid]: ` or `program: `.
                    while before.last == UInt8(ascii: " ") { before = before.dropLast() }
                    guard before.last == UInt8(ascii: ":") else { return nil }
                    before = before.dropLast()
                    if before.last == UInt8(ascii: "]"), let pid = before.lastIndex(of: UInt8(ascii: "[")) {
                        before = before[..<pid]
                    }
                }
                let name = before.split(separator: UInt8(ascii: " ")).last ?? before
                guard !name.isEmpty, name.count <= 64 else { return nil }
                return (time, String(Substring(name)), end)
            }
            search = line.index(after: open)
        }
        return nil
    }

    /// `1234.567`, in ns.
    private static func seconds(_ text: Substring.UTF8View) -> Nanoseconds? {
        let parts = text.split(separator: UInt8(ascii: "."), omittingEmptySubsequences: false)
        guard parts.count == 2, parts[1].count == 3, (1...10).contains(parts[0].count),
            text.allSatisfy({ $0 == UInt8(ascii: ".") || (UInt8(ascii: "0")...UInt8(ascii: "9")).contains($0) }),
            let seconds = Int64(Substring(parts[0])), let milliseconds = Int64(Substring(parts[1])),
            seconds < 9_000_000_000
        else { return nil }
        return seconds * 1_000_000_000 + milliseconds * 1_000_000
    }

    /// `[CLOCK ][phc|sys|pps|master ]offset N sS freq N[ [path ]delay N]` or `[CLOCK ]rms N max N freq N +/- N[ delay N
    /// +/- N]`.
    private static func report(_ words: [Substring], time: Nanoseconds) -> Content? {
        guard let key = words.firstIndex(where: { $0 == "offset" || $0 == "rms" }) else { return nil }
        var name = words[..<key]
        var rest = Words(words[(key + 1)...])
        var report = ServoLog.Report(time: time, source: 0, offset: 0, frequency: 0)
        if words[key] == "offset" {
            // Against what it is measured is no part of the clock's name.
            if let last = name.last, ["phc", "sys", "pps", "master"].contains(last) { name = name.dropLast() }
            guard let offset = rest.number(), let state = rest.state(), rest.skip("freq"), let frequency = rest.number()
            else { return nil }
            (report.offset, report.state, report.frequency) = (offset, state, frequency)
            if !rest.isEmpty {
                _ = rest.skip("path")
                guard rest.skip("delay"), let delay = rest.number() else { return nil }
                report.pathDelay = delay
            }
        } else {
            guard let rms = rest.number(), rest.skip("max"), let largest = rest.number(), rms >= 0, largest >= 0,
                rest.skip("freq"), let frequency = rest.number(), rest.skip("+/-"), rest.number() != nil
            else { return nil }
            (report.rms, report.offset, report.frequency) = (rms, largest, frequency)
            if !rest.isEmpty {
                guard rest.skip("delay"), let delay = rest.number(), rest.skip("+/-"), rest.number() != nil else {
                    return nil
                }
                report.pathDelay = delay
            }
        }
        let clock = name.joined(separator: " ")
        // A device's name and a tag (of at most 128 bytes).
        guard rest.isEmpty, clock.utf8.count <= 160 else { return nil }
        return .report(clock: clock, report)
    }

    /// `port 1: FROM to TO on EVENT`, from 4.0 on with the interface: `port 1 (eth0): FROM to TO on EVENT`; a fault may
    /// follow in brackets.
    private static func port(_ words: [Substring]) -> Content? {
        guard let to = words.firstIndex(of: "to"), to >= 3, words.count > to + 3, words[to + 2] == "on",
            let key = words[..<to].firstIndex(of: "port"), key + 1 < to
        else { return nil }
        let digits = words[key + 1].last == ":" ? words[key + 1].dropLast() : words[key + 1]
        guard let number = UInt16(digits), isState(words[to - 1]), isState(words[to + 1]), words[to - 2].last == ":"
        else { return nil }
        return .port(Int(number), from: String(words[to - 1]), to: String(words[to + 1]))
    }

    /// The port states of linuxptp's util.c are words in capitals.
    private static func isState(_ word: Substring) -> Bool {
        let letters = UInt8(ascii: "A")...UInt8(ascii: "Z")
        return (1...16).contains(word.utf8.count)
            && word.utf8.allSatisfy { letters.contains($0) || $0 == UInt8(ascii: "_") }
    }

    private static func other(_ words: [Substring]) -> Content? {
        if words.contains("clockcheck:") { return .jump }
        let notes: [[Substring]] = [
            ["new", "foreign", "master"], ["selected", "best", "master", "clock"], ["selected", "local", "clock"],
            ["assuming", "the", "grand", "master", "role"], ["foreign", "master", "not", "using", "PTP", "timescale"],
        ]
        for note in notes {
            if let start = words.firstIndex(of: note[0]), words[start...].starts(with: note) { return .note }
        }
        return nil
    }

    /// Words taken one by one.
    private struct Words {
        private var rest: ArraySlice<Substring>

        init(_ words: ArraySlice<Substring>) { rest = words }

        var isEmpty: Bool { rest.isEmpty }

        mutating func skip(_ word: Substring) -> Bool {
            guard rest.first == word else { return false }
            rest.removeFirst()
            return true
        }

        /// A whole number whose magnitude is one as well.
        mutating func number() -> Int64? {
            guard let value = rest.first.flatMap({ Int64($0) }), value != .min else { return nil }
            rest.removeFirst()
            return value
        }

        mutating func state() -> ServoLog.State? {
            guard let word = rest.first, word.utf8.count == 2, word.first == "s",
                let state = UInt8(word.dropFirst()).flatMap(ServoLog.State.init(rawValue:))
            else { return nil }
            rest.removeFirst()
            return state
        }
    }
}

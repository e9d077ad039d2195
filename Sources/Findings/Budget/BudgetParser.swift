// Reads budgets, line by line; what it can't read, it names by line and column.

import PacketPath

package enum BudgetParser {
    /// - Parameter source: a file's path or an option, for messages.
    package static func budgets(in text: String, source: String) throws(BudgetFault) -> [Budget] {
        var budgets: [Budget] = []
        // What ends lines here and elsewhere ("\r\n" is one character).
        for (index, line) in text.split(omittingEmptySubsequences: false, whereSeparator: \.isNewline).enumerated() {
            var reader = try LineReader(line, source: source, number: index + 1)
            if let budget = try reader.budget() { budgets.append(budget) }
        }
        return budgets
    }

    static let units: [(name: String, nanoseconds: Double)] = [
        ("ns", 1), ("us", 1e3), ("µs", 1e3), ("μs", 1e3), ("ms", 1e6), ("s", 1e9),
    ]

    private static let stages = Set(
        PathDescription.all.flatMap { ($0.receive + $0.transmit).compactMap(\.stage?.name) } + [Budget.endToEnd])

    private struct LineReader {
        private var words: [Budget.Word] = []
        private let end: Budget.Place
        private let text: String
        private var next = 0

        init(_ line: Substring, source: String, number: Int) throws(BudgetFault) {
            let characters = Array(line)
            var (index, last) = (0, 0)
            func place(_ index: Int) -> Budget.Place { Budget.Place(source: source, line: number, column: index + 1) }
            func endsWord(_ character: Character) -> Bool {
                character.isWhitespace || character == "<" || character == "\""
            }
            while index < characters.count, characters[index] != "#" {
                let start = index
                index += 1
                switch characters[start] {
                case let blank where blank.isWhitespace: continue
                case "\"":
                    while index < characters.count, characters[index] != "\"" { index += 1 }
                    guard index < characters.count else {
                        throw BudgetFault(place(start), "the quotation mark has no other end")
                    }
                    words.append(Budget.Word(text: String(characters[(start + 1)..<index]), place: place(start)))
                    index += 1
                case "<":
                    if index < characters.count, characters[index] == "=" { index += 1 }
                    words.append(Budget.Word(text: String(characters[start..<index]), place: place(start)))
                default:
                    while index < characters.count, !endsWord(characters[index]) { index += 1 }
                    words.append(Budget.Word(text: String(characters[start..<index]), place: place(start)))
                }
                last = index
            }
            end = place(last)
            let first = characters.prefix { $0.isWhitespace }.count
            text = first < last ? String(characters[first..<last]) : ""
        }

        /// - Returns: nil for a line without words.
        mutating func budget() throws(BudgetFault) -> Budget? {
            guard !words.isEmpty else { return nil }
            // The statistic is the last word before the comparison, the stage the one before it.
            guard let sign = words.firstIndex(where: { $0.text.hasPrefix("<") }) else {
                throw BudgetFault(end, "expected <= or <, as in: vhost-wakeup p99 <= 50us")
            }
            let statistics = Budget.Statistic.allCases.map(\.rawValue).joined(separator: ", ")
            guard sign > 0, let statistic = Budget.Statistic(rawValue: words[sign - 1].text) else {
                let found = sign > 0 ? ", found \(words[sign - 1].text)" : ""
                throw BudgetFault(
                    words[max(0, sign - 1)].place, "expected one of \(statistics) before \(words[sign].text)\(found)")
            }
            guard sign > 1 else {
                throw BudgetFault(words[0].place, "expected a stage or \(Budget.endToEnd) before \(words[0].text)")
            }
            let stage = words[sign - 2]
            guard stages.contains(stage.text) else {
                throw BudgetFault(
                    stage.place,
                    "expected a stage or \(Budget.endToEnd), found \(stage.text) (virtlat paths NAME lists a path's stages)"
                )
            }
            next = sign + 1
            let limit = try limit()
            if case .change = limit, !statistic.hasInterval {
                throw BudgetFault(
                    words[sign - 1].place,
                    "a limit beside the first arm is of mean, p50, p90 or p99; nothing tells how sure \(statistic.rawValue) is"
                )
            }
            return Budget(
                text: text, scope: Array(words[..<(sign - 2)]), stage: stage, statistic: statistic,
                isStrict: words[sign].text == "<",
                limit: limit)
        }

        /// "50us", "50 us", "+5%", "+5 %"
        private mutating func limit() throws(BudgetFault) -> Budget.Limit {
            guard next < words.count else {
                throw BudgetFault(end, "expected a limit: a time (50us) or a change (+5%)")
            }
            let first = words[next]
            let digits = first.text.prefix { $0.isASCII && ($0.isNumber || "+-.".contains($0)) }
            var unit = String(first.text.dropFirst(digits.count))
            var last = next
            if unit.isEmpty, next + 1 < words.count {
                unit = words[next + 1].text
                last += 1
            }
            let isSigned = digits.first == "+" || digits.first == "-"
            guard let number = Double(digits), number.isFinite, digits.last?.isNumber == true else {
                throw BudgetFault(first.place, "expected a limit, a time (50us) or a change (+5%), found \(first.text)")
            }
            if last + 1 < words.count {
                throw BudgetFault(words[last + 1].place, "expected the end of the line, found \(words[last + 1].text)")
            }
            if unit == "%" {
                guard isSigned else {
                    throw BudgetFault(
                        first.place, "a change beside the first arm has a sign: +\(digits)% or -\(digits)%")
                }
                return .change(number / 100)
            }
            guard let scale = units.first(where: { $0.name == unit })?.nanoseconds else {
                let found = unit.isEmpty ? "nothing" : unit
                throw BudgetFault(
                    unit.isEmpty ? end : words[last].place,
                    "expected a unit (ns, us, ms, s or %) after \(digits), found \(found)")
            }
            guard !isSigned else {
                throw BudgetFault(first.place, "a time has no sign; a change beside the first arm is in % (+5%)")
            }
            return .time(number * scale)
        }
    }
}

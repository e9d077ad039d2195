// A title with facts, and a table below it, as text.

/// A line with a name and facts, and rows in columns below it.
struct TextBlock {
    var title: String
    var facts: [String]
    var rows: [[String]] = []

    func text(colour: Bool) -> String {
        let name = colour ? "\u{1b}[1m\(title)\u{1b}[0m" : title
        let lines = rows.map { row in
            let cells = row.enumerated().map { column, cell in
                cell + String(repeating: " ", count: max(0, width(of: column) - cell.count))
            }
            let line = "  " + cells.joined(separator: "  ")
            return String(line[..<(line.lastIndex { $0 != " " }.map { line.index(after: $0) } ?? line.startIndex)])
        }
        return (["\(name): \(facts.joined(separator: ", "))"] + lines).joined(separator: "\n") + "\n"
    }

    /// The last cell of a row takes no room, however long it is.
    private func width(of column: Int) -> Int {
        rows.map { $0.count > column + 1 ? $0[column].count : 0 }.max() ?? 0
    }
}

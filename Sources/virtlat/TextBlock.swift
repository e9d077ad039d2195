// A title with facts, and a table below it, as text.

import Report

/// A line with a name and facts, and rows in columns below it.
struct TextBlock {
    var title: String
    var facts: [String]
    var rows: [[String]] = []

    func text(colour: Bool) -> String {
        let lines = rows.map { row in
            let cells = row.enumerated().map { column, cell in cell.column(width(of: column), gap: 0) }
            return ("  " + cells.joined(separator: "  ")).trimmed
        }
        return (["\(title.strong(colour)): \(facts.joined(separator: ", "))"] + lines).joined(separator: "\n") + "\n"
    }

    /// The last cell of a row takes no room, however long it is.
    private func width(of column: Int) -> Int {
        rows.map { $0.count > column + 1 ? $0[column].count : 0 }.max() ?? 0
    }
}

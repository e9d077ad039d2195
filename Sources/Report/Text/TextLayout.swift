// What all texts for people are laid out with: columns, emphasis, bars.

extension String {
    /// Filled up to `width` with spaces behind it, of which there are `gap` at least.
    package func column(_ width: Int, gap: Int = 1) -> String {
        self + String(repeating: " ", count: max(gap, width - count))
    }

    /// Filled up to `width` with spaces before it, of which there is one at least.
    func right(_ width: Int) -> String { String(repeating: " ", count: max(1, width - count)) + self }

    /// Set off by a terminal that knows how (ECMA-48, SELECT GRAPHIC RENDITION 1).
    package func strong(_ colour: Bool) -> String { colour ? "\u{1b}[1m\(self)\u{1b}[0m" : self }

    /// Without the spaces at its end.
    package var trimmed: String {
        var text = self[...]
        while text.last == " " { text.removeLast() }
        return String(text)
    }

    /// A bar so many eighths of a block long.
    static func bar(eighths: Int) -> String {
        let parts = ["", "▏", "▎", "▍", "▌", "▋", "▊", "▉"]
        return String(repeating: "█", count: eighths / 8) + parts[eighths % 8]
    }
}

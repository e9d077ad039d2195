// How a text is written into a CSV file: RFC 4180.

package enum CSV {
    /// A text as a field, in quotation marks where it needs them.
    package static func field(_ text: String) -> String {
        guard text.contains(where: { $0 == "," || $0 == "\"" || $0.isNewline }) else { return text }
        return "\"" + text.split(separator: "\"", omittingEmptySubsequences: false).joined(separator: "\"\"") + "\""
    }
}

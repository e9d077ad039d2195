// Tables of the documentation that are made by tests: held against what stands there, or written anew.

import FoundationEssentials

package enum DocumentedTable {
    /// Holds a table against the one that stands between the suite's two marks in a page of the documentation. With
    /// VIRTLAT_WRITE_TABLES in the environment it is written there instead.
    /// - Parameters:
    ///   - page: a file's name in `Documentation`.
    ///   - suite: the suite that makes it.
    /// - Returns: what is wrong, and what to do; nil where it is the same.
    package static func fault(in page: String, by suite: String, _ table: String) throws -> String? {
        let path = Checkout.root + "/Documentation/" + page
        let text = String(decoding: try Data(contentsOf: URL(filePath: path)), as: UTF8.self)
        guard let start = text.firstRange(of: "<!-- made by \(suite) -->\n")?.upperBound,
            let stop = text[start...].firstRange(of: "<!-- to here -->")?.lowerBound
        else { return "\(page) has no place for the table of \(suite)" }
        guard ProcessInfo.processInfo.environment["VIRTLAT_WRITE_TABLES"] == nil else {
            try Data((text[..<start] + table + text[stop...]).utf8).write(to: URL(filePath: path), options: .atomic)
            return nil
        }
        return text[start..<stop] == table ? nil : "VIRTLAT_WRITE_TABLES=1 swift test --filter \(suite) writes it anew"
    }
}

// Where the tests find the recordings of traces/ and the built command.

/// Folders of the checkout, found from this file's own place in it.
package enum Checkout {
    /// Root of the repository.
    package static let root: String = {
        var parts = #filePath.split(separator: "/", omittingEmptySubsequences: false)
        parts.removeLast(3)
        return parts.joined(separator: "/")
    }()

    /// A recording's folder in traces/.
    package static func recording(_ name: String) -> String { root + "/traces/" + name }
}

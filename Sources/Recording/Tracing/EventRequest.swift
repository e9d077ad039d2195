// An event to record, with what the kernel is to leave out of it.

/// A tracepoint by system and name, both such that they can't lead out of their folder.
package struct EventName: Hashable, Sendable, CustomStringConvertible {
    package let system: String
    package let name: String

    /// - Parameter text: "sched:sched_switch".
    package init?(_ text: String) {
        let parts = text.split(separator: ":", omittingEmptySubsequences: false)
        guard parts.count == 2, parts.allSatisfy({ Self.isName($0) }) else { return nil }
        system = String(parts[0])
        name = String(parts[1])
    }

    private static func isName(_ text: Substring) -> Bool {
        (1...64).contains(text.utf8.count)
            && text.utf8.allSatisfy { byte in
                (UInt8(ascii: "a")...UInt8(ascii: "z")).contains(byte | 0x20)
                    || (UInt8(ascii: "0")...UInt8(ascii: "9")).contains(byte)
                    || byte == UInt8(ascii: "_")
            }
    }

    package var description: String { "\(system):\(name)" }
    /// Below `events`.
    var path: String { "\(system)/\(name)" }
}

package struct EventRequest: Equatable, Sendable {
    package var event: EventName
    /// In the kernel's filter language (Documentation/trace/events.rst); nil for all of them.
    package var filter: String?

    /// A filter is written to the kernel in one piece, which is a page at the most.
    package static let longestFilter = 4000

    package init(_ event: EventName, filter: String? = nil) {
        self.event = event
        self.filter = filter
    }
}

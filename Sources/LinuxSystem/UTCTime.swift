// The time of day as ISO 8601 has it.

import Glibc

package enum UTCTime {
    /// "2026-11-22T20:55:03Z".
    package static var now: String { text("%Y-%m-%dT%H:%M:%SZ", utc: true) }
    /// "20261122-205503", in local time: for names of folders.
    package static var stamp: String { text("%Y%m%d-%H%M%S", utc: false) }

    private static func text(_ format: String, utc: Bool) -> String {
        var seconds = time(nil)
        var parts = unsafe tm()
        _ = unsafe utc ? gmtime_r(&seconds, &parts) : localtime_r(&seconds, &parts)
        var buffer = [CChar](repeating: 0, count: 64)
        let count = unsafe strftime(&buffer, buffer.count, format, &parts)
        return String(decoding: buffer[..<count].map { UInt8(bitPattern: $0) }, as: UTF8.self)
    }
}

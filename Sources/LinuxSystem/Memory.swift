// How much memory there is, see proc(5).

package enum Memory {
    /// MemAvailable of /proc/meminfo: what can be had without swapping.
    package static var availableKiB: Int? {
        for line in (TextFile.optional("/proc/meminfo") ?? "").split(separator: "\n")
        where line.hasPrefix("MemAvailable:") {
            return Int(line.dropFirst(13).drop { $0 == " " }.prefix { $0.isNumber })
        }
        return nil
    }
}

// What one machine's kernel can tell of packets, and what it does without a word: kernels differ, and so do recordings.

package import TraceData

package struct KernelTraits: Sendable {
    /// The recording may have events of system calls that send.
    package var tellsCalls = true
    /// The recording may have events of sockets (Linux 6.3 and newer).
    package var tellsSockets = true
    /// The recording may have an event for each copy of a packet (skb_copy_datagram_iovec).
    package var tellsCopies = true
    /// A UDP reader frees what it has read without an event of its own (skb_attempt_defer_free, from Linux 6.18 on);
    /// nil where the kernel's release is not known.
    package var readsSilently: Bool?

    package init() {}

    /// - Parameter leftOut: events that are not looked at, by name.
    package init(_ file: TraceFile, leavingOut leftOut: Set<String> = []) {
        let events = Set(file.formats.map(\.name)).subtracting(leftOut)
        tellsCalls = events.contains { $0.hasPrefix("sys_exit_") || $0.hasPrefix("sys_enter_") }
        tellsSockets = events.contains("sk_data_ready") || events.contains("sock_recv_length")
        tellsCopies = events.contains("skb_copy_datagram_iovec")
        readsSilently = file.options.release.flatMap(Self.version).map { $0 >= (6, 18) }
    }

    /// "6.18.44-generic" is 6.18.
    static func version(_ release: String) -> (Int, Int)? {
        let parts = release.split(separator: ".", maxSplits: 2)
        guard parts.count >= 2, let major = Int(parts[0]), let minor = Int(parts[1].prefix { $0.isNumber }) else {
            return nil
        }
        return (major, minor)
    }
}

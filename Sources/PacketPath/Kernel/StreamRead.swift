// What one thread is reading of one connection: of which packets its bytes are.

import ClockSync

/// What a thread has copied from one skb so far.
struct StreamRead {
    struct Copy: BitwiseCopyable {
        var time: Nanoseconds
        /// Bytes copied up to its end.
        var end: Int
    }

    var thread: ThreadID
    var skb: UInt64
    /// When its packet came in, and that packet's length with all headers.
    var ingress: Nanoseconds
    var length: Int32
    /// tcp_probe has told that it is TCP's.
    var isTCP: Bool
    /// The device it came in by, and its connection where that is known.
    var nic: UInt16
    var port: PortID
    var connection: UInt32
    var copies: [Copy]
    /// So many of the copies are known to be of this stream's socket.
    private(set) var proven = 0

    var bytes: Int { copies.last?.end ?? 0 }

    mutating func note(_ time: Nanoseconds, _ bytes: Int32) {
        copies.append(Copy(time: time, end: self.bytes + Int(max(bytes, 0))))
    }

    /// What was copied so far was of this stream's socket.
    mutating func prove() { proven = copies.count }

    /// What was copied since was of another socket, whose data has the skb's address by now.
    /// - Returns: whether anything is left.
    mutating func dropUnproven() -> Bool {
        copies.removeLast(copies.count - proven)
        return proven > 0
    }

    /// When the byte at `offset` was copied.
    func time(of offset: Int) -> Nanoseconds? { copies.first { $0.end > offset }?.time }
}

// What threads have copied in calls that have not ended.

import TraceData

/// What threads have copied in calls that have not ended.
struct SocketCopies {
    struct Copy {
        var id: FlightID
        var thread: ThreadIndex
        var isStream: Bool
    }

    /// One call may copy from as many packets.
    static let most = 1024

    /// Oldest first.
    var waiting: [Copy] = []
    /// Whether the recording has the ends of calls that read a stream, and of those that read datagrams; nil while that
    /// is not known.
    private var tellsStreams: Bool?
    private var tellsDatagrams: Bool?

    func tells(_ isStream: Bool) -> Bool? { isStream ? tellsStreams : tellsDatagrams }

    /// A call that reads has ended.
    mutating func note(_ mark: Mark) {
        // Where other sockets than those of packets are recorded, all are.
        if mark.isOfTCPRead || !mark.isOfPacketsRead { tellsStreams = true }
        tellsDatagrams = true
    }

    /// It does not.
    /// - Returns: what waited for it.
    mutating func giveUp(_ isStream: Bool) -> [Copy] {
        if isStream { tellsStreams = false } else { tellsDatagrams = false }
        return take { $0.isStream == isStream }
    }

    mutating func take(where isTaken: (Copy) -> Bool) -> [Copy] {
        let taken = waiting.filter(isTaken)
        waiting.removeAll(where: isTaken)
        return taken
    }
}

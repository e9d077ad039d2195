// A packet that was cut into segments, as long as these are being sent.

/// What has just been cut into segments on a CPU.
struct Segmented {
    /// Packets of guests, on the host.
    var packets: [FlightID] = []
    /// Packets that were queued on this machine itself, and since when the last one's sender has been in its call.
    var calls = 0
    var sendingSince = PointTimes.absent
    var sender = ThreadIndex.none
    var flags: Flight.Flags = []
    /// Segments that have gone to a driver, and their bytes with all headers.
    var count = 0
    var bytes = 0

    /// Ethernet, IPv4 and UDP at the least; Ethernet with two VLAN tags, IPv6 with some extension, and TCP with all
    /// options.
    private static let headers = 42...160

    /// Whether the segments are all of a packet of `length` bytes: each further one has headers of its own, of one
    /// size.
    func hold(_ length: Int) -> Bool {
        guard count > 1 else { return count == 1 && bytes == length }
        let (size, rest) = (bytes - length).quotientAndRemainder(dividingBy: count - 1)
        return rest == 0 && Self.headers.contains(size)
    }
}

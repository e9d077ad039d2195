// Packets that are with ovs-vswitchd, or were.

import ClockSync

/// A packet that was given up to ovs-vswitchd, which will give back a copy.
struct Upcall {
    var flight: FlightID
    /// Device it came in by, by name.
    var device: UInt16
    var length: Int32
    var time: Nanoseconds
    /// The CPU it was given up on.
    var lane: LaneID
}

/// Packets that ovs-vswitchd gave back while others of their device and length were waiting too.
///
/// One CPU puts them on a netlink socket in order, one handler thread takes them from there, and executes them in that
/// order (dpif_operate, lib/dpif.c). Where one thread has given back all that waited, from one CPU, the first one given
/// back is the first one given up.
struct GivenBack {
    var device: UInt16
    var length: Int32
    var thread: ThreadID
    var lane: LaneID
    var packets: [FlightID]
    /// Another thread had one of them, or another CPU, or one of them never came back.
    var isBroken = false
}

extension [GivenBack] {
    /// Two halves have become one flight.
    mutating func replace(_ old: FlightID, by new: FlightID) {
        for index in indices {
            if let place = self[index].packets.firstIndex(of: old) { self[index].packets[place] = new }
        }
    }
}

// Times of packets whose send call is known, beside those of packets whose is not: never added up together.

import PacketPath

/// What adds up the times of complete packets.
package protocol CompleteTimes: Sendable {
    /// Packets that it holds the times of.
    var count: Int { get }
}

/// The times of packets whose way is one journey.
protocol JourneyTimes: CompleteTimes {
    mutating func add(_ journey: borrowing Journey, _ waypoints: [Waypoint])
}

/// The way of a sent packet begins with a send call, or with the driver where no call is known: it is the kernel's own,
/// or was sent in a way that leaves no event. The second kind lacks a stage, and is not faster for that.
package struct BySendCall<Times: CompleteTimes>: Sendable {
    /// Of packets whose call is known, and of received ones.
    package internal(set) var called: Times
    package internal(set) var uncalled: Times

    /// - Parameter none: without packets yet.
    init(_ none: Times) {
        called = none
        uncalled = none
    }

    /// Of ways that begin with a send call, where there are any, else of those that begin with the driver.
    var measured: Times { called.count > 0 ? called : uncalled }
    /// Complete packets whose send call is not known.
    var withoutCall: Int { uncalled.count }
}

extension BySendCall where Times: JourneyTimes {
    /// Adds a complete journey to those it belongs to.
    mutating func add(_ journey: borrowing Journey, _ waypoints: [Waypoint]) {
        if journey.isWithoutCall { uncalled.add(journey, waypoints) } else { called.add(journey, waypoints) }
    }
}

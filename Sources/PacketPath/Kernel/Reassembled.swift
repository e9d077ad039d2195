// A datagram that came in several IP fragments.

/// A datagram that came in several IP fragments.
struct Reassembled {
    /// The one that was received last: the datagram has its address.
    var last: FlightID
    var others: [FlightID]
}

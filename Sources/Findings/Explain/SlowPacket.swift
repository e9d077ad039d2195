// One slow packet: what each stage of its way took, and how much of that is more than usual.

package import ClockSync
import PacketPath

package struct SlowPacket: Sendable {
    /// Counts all packets of the session, from 1, complete or not; the same in every pass over it.
    package var number: Int
    /// Counts the measured packets of its flow, from 0, in the order in which they ended.
    package var place: Int
    /// Its first point, host time.
    package var begin: Nanoseconds
    /// From its first point to its last.
    package var total: Nanoseconds
    /// What it is slow by: that, or its time in the stage that is asked for.
    package var measured: Nanoseconds
    package var traits: [Trait]
    /// One for each stage of its flow, ns; nil where the packet has no such stage: its time is in a later one.
    package var stages: [Nanoseconds?]

    /// How much longer each stage took than it usually does, ns; 0 for a stage that the packet does not have.
    /// - Parameter usual: what each stage usually takes.
    package func excess(over usual: [Nanoseconds]) -> [Nanoseconds] {
        zip(stages, usual).map { time, usual in time.map { $0 - usual } ?? 0 }
    }
}

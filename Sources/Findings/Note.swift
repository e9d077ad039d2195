// What a reader must know before believing the numbers, as values; its words are made where it is written.

package import GuestClocks
package import PacketPath
package import TraceData

package enum Note: Sendable {
    // MARK: What was recorded

    /// It goes on, or its recorder was killed.
    case stillRecording
    /// A machine of the session has no file; the reason is the manifest's, where it gives one.
    case unrecorded(machine: String, reason: String?)
    /// In the recorder's own words.
    case fault(String)
    /// Before its time, and nobody said why.
    case cutOff
    /// .dat files beside those that the manifest names.
    case strangers([String])
    case noEvents(file: String)
    case absentEvents(machine: String, [AbsentEvent])
    case defect(file: String, TraceDefect)
    /// Events whose format is not of a kernel's shape: none of them was read.
    case refusedFormats(file: String, [String])

    // MARK: Clocks

    /// Packets on whose way a servo swung, or was silent.
    case inSwings(machine: String, packets: Int)
    case evidenceLeftOut(machine: String, ClockCandidate)
    /// Many events lie where no vCPU of the guest ran.
    case wrongClock(machine: String, Containment)
    /// Few events lie where no vCPU of the guest ran.
    case misplacedEvents(machine: String, Containment)
    /// By the clock map in use next to nothing of host and guest was recorded at the same time.
    case hardlyTogether(machine: String, RecordingOverlap)

    // MARK: Packets

    /// There are guests, of which no recording was given.
    case hostAlone
    /// Could be joined to no queue on the host.
    case unclaimed(machine: String, device: String, packets: Int)
    /// The host has no part in a device's interrupts.
    case posted(machine: String, device: String)
    case noPackets(Emptiness)

    /// Where packets would have been looked for.
    package enum Emptiness: Sendable {
        case filtered
        /// Packets began, but not while the measurement ran, or there were none at all.
        case unmeasured(ofHost: Bool)
        case nowhere(ofHost: Bool)
    }
}

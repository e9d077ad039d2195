// What is to be recorded, as the command was told.

package import Sessions

package struct RecordingPlan: Sendable {
    /// The session folder, which is made.
    package var folder: String
    package var guests: [GuestTarget]
    /// For guests that are reached over TCP.
    package var key: PreSharedKey?
    /// nil for the best one that all machines have.
    package var traceClock: String?
    /// Ring buffer of each CPU; nil for the default, which is made smaller where memory is short.
    package var bufferKiB: Int?
    package var transfer = Manifest.Transfer.after
    /// ns; nil for until it is stopped.
    package var duration: Int64?
    /// Recorded from its start to its end; empty for none.
    package var command: [String]
    /// The command is a load that goes on by itself: it gets no input, and is ended together with all that it has
    /// started.
    package var isCommandLoad = false
    /// What is bound for the time of the recording; nil when threads are left where they are.
    package var binding: TemporaryBinding?
    package var wantsKernelSymbols = false
    package var guestBudget = GuestBudget()
    /// The virtlat that is the recording's guard, and that reads what guests send; tests are another program.
    var program = Guard.program
    /// Name and version of the program, for the manifest.
    package var recorder: String

    package init(folder: String, guests: [GuestTarget], command: [String] = [], recorder: String) {
        self.folder = folder
        self.guests = guests
        self.command = command
        self.recorder = recorder
    }

    /// Exchanges with each guest, and how many of them before the measurement: somebody waits for its begin.
    static let probes: UInt32 = 320
    static let probesBefore: UInt32 = 64

    /// The numbers of a guest's probes. All guests' are in one host's trace, so that no two may have the same.
    static func probes(ofGuest index: Int) -> Range<UInt32> {
        let first = UInt32(index) * probes
        return first..<first + probes
    }
    /// Between cross-timestamps in the guests, and clock readings on the host.
    static let crossTimestampMilliseconds: UInt32 = 2000
}

/// What a recording tells while it goes on.
package enum RecordingNews: Sendable {
    /// All machines record; the measurement begins.
    case recording
    /// Once a second: since the beginning, events on the host in the last second, share of the fullest buffer, events
    /// lost on the host.
    case status(elapsed: Int64, eventsPerSecond: Int, fill: Double, lost: Int)
    /// The measurement is over; the guests' traces are fetched.
    case transferring(guest: String, bytes: Int)
    /// Something a person should know at once.
    case warning(String)
}

/// A recording that could not begin.
package enum RecordingFault: Error, Sendable {
    case folderInUse(String)
    case folder(path: String, String)
    /// Others can put something else in the place of what is recorded.
    case unsafePlace(SessionPlace.Obstacle)
    case guests([GuestFault])
    case clock(String, machine: String, available: [String])
    /// The clock counts cycles, and the host's kernel does not tell how many make a ns.
    case noRate(clock: String)
    /// Guests whose threads were to be bound, and whose VMs were not found.
    case unknownVMs([String])
    case interrupted
}

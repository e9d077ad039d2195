// How machines are recorded, for whatever reason.

import ArgumentParser
import ClockSync
import Recording
import Sessions

/// What `record` and `experiment` have in common.
struct RecordingOptions: ParsableArguments {
    @Option(
        help: ArgumentHelp(
            "A guest and where its agent is: NAME=vsock:CID[:PORT] or NAME=tcp:HOST[:PORT].", valueName: "name=address")
    )
    var vm: [String] = []

    @Option(help: ArgumentHelp("The key that the agents have too, for tcp.", valueName: "file"), completion: .file())
    var keyFile: String?

    @Option(help: "When guests send their traces: after the measurement, or live.")
    var transfer = Manifest.Transfer.after

    @Option(help: "The ring buffer of each CPU, on all machines (16M, 512K); made to fit the memory by default.")
    var bufferSize: ByteCount?

    @Option(help: "The trace clock of all machines; x86-tsc where that is exact and mono_raw elsewhere by default.")
    var traceClock: String?

    @Option(
        help:
            "The most trace data that is taken from one guest; 4G by default, half of the free space where that is less or it is sent live."
    )
    var guestData: ByteCount?

    @Option(help: "The most memory for what one guest's trace says of itself; 32M by default.")
    var guestMemory: ByteCount?

    func validate() throws {
        _ = try GuestTarget.parsed(vm, keyFile: keyFile)
        try checkClock()
    }

    /// A clock that measures no time, or in a unit that nobody knows, is none to record with.
    private func checkClock() throws {
        guard let traceClock, !TraceClockUnit.measuring.contains(traceClock) else { return }
        let why =
            switch TraceClockUnit(of: traceClock) {
            case .events: "measures no time: it numbers the events"
            case .jiffies: "goes in steps of 10 ms, longer than a packet takes"
            // trace-cmd's name of x86-tsc, which the kernel does not know.
            case .tsc: "is what trace-cmd calls x86-tsc"
            case .unknown, .nanoseconds: "is not known to measure time"
            }
        throw ValidationError(
            "--trace-clock \(traceClock): \(traceClock) \(why). These do: \(TraceClockUnit.measuring.joined(separator: ", "))."
        )
    }

    /// A plan for a session in `folder`.
    func plan(folder: String, command: [String], duration: Duration?) throws -> RecordingPlan {
        var plan = RecordingPlan(
            folder: folder, guests: try GuestTarget.parsed(vm, keyFile: keyFile), command: command,
            recorder: "virtlat \(Virtlat.configuration.version)")
        plan.key = try keyFile.map { try PreSharedKey(file: $0) }
        plan.traceClock = traceClock
        plan.bufferKiB = bufferSize.map { Int(clamping: $0.bytes >> 10) }
        plan.transfer = transfer
        plan.guestBudget.data = guestData.map { Int(clamping: $0.bytes) }
        if let guestMemory { plan.guestBudget.sections = Int(clamping: guestMemory.bytes) }
        plan.duration = duration?.nanoseconds
        return plan
    }
}

extension Manifest.Transfer: ExpressibleByArgument {}

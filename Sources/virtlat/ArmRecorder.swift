// One arm of an experiment, recorded once.

import Affinity
import LinuxSystem
import Recording
import Sessions
import Synchronization

/// Records one arm once.
struct ArmRecorder: Sendable {
    var options: RecordingOptions
    var workload: String?
    var duration: Duration?
    var settle: Int64
    var stop: StopRequest
    private let told = Told()

    private final class Told: Sendable {
        let texts = Mutex<Set<String>>([])
    }

    init(options: RecordingOptions, workload: String?, duration: Duration?, settle: Int64, stop: StopRequest) {
        self.options = options
        self.workload = workload
        self.duration = duration
        self.settle = settle
        self.stop = stop
    }

    /// - Returns: why it is no use; nil when it is whole.
    func record(_ request: BindingRequest, into folder: String) async throws -> String? {
        var plan = try options.plan(
            folder: folder, command: workload.map { ["sh", "-c", $0] } ?? [], duration: duration)
        plan.isCommandLoad = true
        plan.binding = TemporaryBinding(request, settle: settle, stop: stop) { [told] note in
            // The same is true in every round.
            if told.texts.withLock({ $0.insert(note).inserted }) { ExperimentLine.note(note) }
        }
        let manifest = try await Recorder(plan, stop: stop) { news in
            if case .warning(let text) = news { ExperimentLine.note(text) }
        }.run()
        if let fault = manifest.faults.first { return fault }
        guard let status = manifest.commandStatus, status != 0 else { return nil }
        // One that was still running when the time was over was ended by us.
        if let window = manifest.measured, let end = window.end, let duration,
            end - window.begin >= duration.nanoseconds
        {
            return nil
        }
        return "the workload ended with status \(status)"
    }
}

// A binding that lasts as long as a recording.

import Affinity
import LinuxSystem
import Recording
import Sessions
import Synchronization

extension TemporaryBinding {
    /// - Parameters:
    ///   - settle: ns between binding and what comes after it: caches are cold on a new CPU.
    ///   - tell: hears what a person should know, once each.
    init(_ request: BindingRequest, settle: Int64 = 0, stop: StopRequest, tell: @escaping @Sendable (String) -> Void) {
        let held = Held()
        self.init { vms, host in
            let outcome = try Binder().bind(request, for: vms, of: host, .recording)
            held.isBound.withLock { $0 = true }
            BindingText.tellLeftovers(outcome.restored)
            for plan in outcome.plans { plan.notes.forEach { tell($0.text(vm: plan.vm)) } }
            if settle > 0 { await stop.wait(atMost: settle) }
            return Manifest.Binding(
                policy: request.policy?.description, vcpus: request.vcpus?.description,
                scheduling: request.scheduling?.description)
        } restore: {
            // Asked twice, it has nothing more to do or to say.
            let wasBound = held.isBound.withLock { isBound in
                defer { isBound = false }
                return isBound
            }
            guard wasBound else { return [] }
            do throws(BindingFault) {
                return try Binder().restore(ownedBy: processID()).faults.map { "not restored: \($0.text)" }
            } catch {
                return ["not restored: \(error.text)"]
            }
        }
    }

    private final class Held: Sendable {
        let isBound = Mutex(false)
    }
}

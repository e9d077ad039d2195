// What tracing this machine gives when it is tried: an instance is made, each event is switched on in it, and it is
// removed.

internal import CLinux
package import LinuxSystem

/// Tracing stays off all the while, so nothing is recorded.
package struct TracingFacts: Sendable {
    /// An event that is there and can't be switched on.
    package struct Refusal: Sendable {
        package var event: EventName
        package var fault: TracingFault

        package init(_ event: EventName, _ fault: TracingFault) {
            self.event = event
            self.fault = fault
        }
    }

    /// Why no instance can be made; nil when one was.
    package var fault: TracingFault?
    /// The instance stayed behind.
    package var remains: String?
    package var enabled: [EventName] = []
    package var absent: [EventName] = []
    package var refused: [Refusal] = []
    /// Trace clocks.
    package var clocks: [String] = []
    /// CPUs that have a ring buffer.
    package var cpus = 0
    /// What the ring buffer of each CPU would have, in KiB, when nobody says otherwise; nil where there is no room for
    /// any.
    package var bufferKiB: Int?
    package var availableKiB: Int?
    /// Why the TSC can't be converted to ns; nil when it can.
    package var conversionError: SystemError?

    package init() {}
}

extension TracingFacts {
    /// Tries it.
    static func gather(_ events: [EventRequest]) -> TracingFacts {
        var facts = TracingFacts()
        facts.availableKiB = Memory.availableKiB
        facts.conversionError = conversionError
        do throws(TracingFault) {
            facts.clocks = try TraceFS.clocks()
            facts.cpus = try MachineTrace.tracedCPUs().count
            let instance = try TraceInstance()
            facts.tryEvents(events, in: instance)
            if !instance.remove() { facts.remains = instance.name }
        } catch {
            facts.fault = error
        }
        facts.bufferKiB = try? MachineTrace.bufferSize(nil, cpus: facts.cpus)
        return facts
    }

    private mutating func tryEvents(_ events: [EventRequest], in instance: TraceInstance) {
        for request in events {
            do throws(TracingFault) {
                let (_, missing) = try instance.enable([request])
                if missing.isEmpty { enabled.append(request.event) } else { absent.append(request.event) }
            } catch .noEvents {
                absent.append(request.event)
            } catch {
                refused.append(Refusal(request.event, error))
            }
        }
    }

    private static var conversionError: SystemError? {
        var multiplier: UInt32 = 0
        var shift: UInt32 = 0
        return unsafe clinux_tsc_conversion(&multiplier, &shift) == 0
            ? nil : SystemError(call: "perf_event_open", errno: LinuxSystem.lastError)
    }
}

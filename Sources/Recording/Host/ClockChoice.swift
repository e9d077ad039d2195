// Which trace clock a session gets, and what its guests' files say of how their clocks lead to the host's.

import ClockSync
import Sessions

enum ClockChoice {
    /// `x86-tsc` where every machine has it and KVM tells how each guest's differs from the host's; `mono_raw`
    /// elsewhere.
    static func best(host: [String], guests: [[String]], hasConversion: Bool, kvmReadings: [[KVMReading]]) -> String {
        let isExact =
            hasConversion && ([host] + guests).allSatisfy { $0.contains("x86-tsc") }
            && kvmReadings.allSatisfy { !$0.isEmpty }
        return isExact ? "x86-tsc" : "mono_raw"
    }
}

extension TimeShift {
    /// By KVM's own numbers, exact: host = (guest - offset) · 2^fractionBits / ratio. One for each vCPU.
    ///
    /// Empty when KVM did not tell. When an offset was changed during the recording, the new one holds from the last
    /// reading on.
    /// - Parameter time: raw time of the guest at the end of the recording.
    static func kvm(_ readings: [KVMReading], endTime time: UInt64) -> [TimeShift] {
        let begin = readings.filter { $0.moment == .begin }.sorted { $0.vcpu < $1.vcpu }
        return begin.map { first in
            var samples = [first.sample(at: 0)]
            if let last = readings.first(where: { $0.moment == .end && $0.vcpu == first.vcpu }),
                last.offset != first.offset
            {
                samples.append(last.sample(at: time))
            }
            return TimeShift(
                interpolates: false, samples: samples, fractionBits: first.isScaled ? first.fractionBits ?? 0 : 0)
        }
    }

    /// From exchanges of messages: the one with the shortest round trip at the beginning, and that at the end; between
    /// them a line.
    static func exchanges(_ exchanges: [Exchange], cpus: Int) -> [TimeShift] {
        guard let first = exchanges.first, let last = exchanges.last else { return [] }
        let middle = first.hostSent &+ (last.hostSent &- first.hostSent) / 2
        let samples = [exchanges.filter { $0.hostSent <= middle }, exchanges.filter { $0.hostSent > middle }]
            .compactMap { $0.min { $0.roundTrip < $1.roundTrip } }
            .map { TimeShiftSample(time: $0.guestReceived, offset: UInt64(bitPattern: 0 &- $0.offset), scaling: 1) }
        return (0..<cpus).map { _ in TimeShift(interpolates: samples.count > 1, samples: samples, fractionBits: 0) }
    }
}

extension KVMReading {
    func sample(at time: UInt64) -> TimeShiftSample {
        TimeShiftSample(time: time, offset: UInt64(bitPattern: 0 &- offset), scaling: isScaled ? ratio! : 1)
    }
}

// Why packets were slow, as far as times tell: two passes over a session, one for what is usual, one for what is not.

package import ClockSync
import PacketPath
import Statistics
import TraceData

package struct Explanation: Sendable {
    /// What the first pass found of all packets.
    package var findings: SessionFindings
    package var question: TailQuestion
    /// One for each flow that has slow packets, in the order of reports; of the flow alone whose packet was asked for.
    package var tails: [Tail]
    /// What shows that the packet that was asked for passed its points, in their order.
    package var passages: [Passage] = []
    /// Host time that a person counts from.
    package var zero: Nanoseconds

    /// Reads a session twice.
    /// - Throws: `TailFault`, and what a pass throws.
    package init(
        _ pass: SessionPass, _ question: TailQuestion, seed: UInt64, progress: SessionPass.Progress = { _, _ in }
    ) throws {
        findings = try SessionFindings(pass, progress: progress)
        self.question = question
        let flows = findings.flows.filter { $0.endToEnd.count > 0 }
        let targets = try Self.targets(flows, findings, question)
        let reader = TailReader(targets, wanted: question.packet)
        let witness = question.packet.map { Witness([$0]) }
        let second = try pass.run([reader], witness: witness, progress: progress)
        zero = second.start.zero
        if reader.readings.contains(where: \.hasTooMany) { throw TailFault.tooMany(limit: TailQuestion.mostSlow) }
        tails = zip(zip(flows, targets), reader.readings).compactMap { known, reading in
            reading.slow.isEmpty ? nil : Tail(known.0, known.1, reading, seed: seed)
        }
        guard let packet = question.packet else { return }
        guard let tail = tails.first else { throw TailFault.noPacket(packet) }
        if let evidence = witness?[packet] {
            passages = Passage.all(
                of: tail.flow, reader.wantedTimes, evidence, second.lanes, findings.machines,
                ofHost: findings.followsHost)
        }
    }

    private static func targets(_ flows: [Flow], _ findings: SessionFindings, _ question: TailQuestion) throws
        -> [TailTarget]
    {
        let targets = flows.map { flow in
            let stage = question.stage.flatMap { name in flow.stages.firstIndex { $0.stage.name == name } }
            let samples = stage.map { flow.stages[$0].samples } ?? flow.endToEnd
            let limit = question.stage != nil && stage == nil ? nil : question.limit.time(among: samples)
            return TailTarget(
                machine: flow.machine, device: findings.names.name(flow.device), direction: flow.direction,
                path: flow.path, isWithoutCall: flow.withoutCall == flow.complete, limit: limit, stage: stage,
                stageCount: flow.stages.count)
        }
        if let name = question.stage, !flows.isEmpty, targets.allSatisfy({ $0.stage == nil }) {
            var names: [String] = []
            for stage in flows.flatMap(\.stages)
            where stage.samples.count > 0 && !names.contains(stage.stage.name) {
                names.append(stage.stage.name)
            }
            throw TailFault.noStage(name, names)
        }
        return targets
    }
}

extension TailQuestion.Limit {
    /// Above which time a packet is slow; nil where there are no packets. Beyond a percentile there is one at least.
    fileprivate func time(among samples: Samples) -> Nanoseconds? {
        switch self {
        case .time(let time): return time
        case .percentile(let percent):
            guard samples.count > 0 else { return nil }
            let slow = max(1, Int(Double(samples.count) * (100 - percent) / 100))
            let rest = Double(samples.count - slow) / Double(samples.count) * 100
            // Quantiles have three digits, so the largest value may be its own.
            return min(samples.percentiles([rest])[0], samples.maximum - 1)
        }
    }
}

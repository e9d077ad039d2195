// Why packets were slow, as far as times tell: what is usual, and what the slow packets have over it.

import ClockSync
import PacketPath
import Statistics
import TraceData

package struct Explanation: Sendable {
    /// What was found of all packets.
    package var findings: SessionFindings
    package var question: TailQuestion
    /// One for each flow that has slow packets, in the order of reports; of the flow alone whose packet was asked for.
    package var tails: [Tail]
    /// What shows that the packet that was asked for passed its points, in their order.
    package var passages: [Passage] = []

    /// Reads a session once, and once more where its slow packets came in crowds (`TailReader`).
    /// - Throws: `TailFault`, and what a pass throws.
    package init(
        _ pass: SessionPass, _ question: TailQuestion, seed: UInt64, progress: SessionPass.Progress = { _, _ in }
    ) throws {
        let reader = TailReader(question)
        let witness = question.packet.map { Witness([$0]) }
        findings = try SessionFindings(pass, beside: [reader], witness: witness, progress: progress)
        self.question = question
        let flows = findings.flows.filter { $0.endToEnd.count > 0 }
        try Self.checkStage(question, flows)
        var limits: [TailKey: Nanoseconds] = [:]
        for flow in flows { limits[TailKey(flow, findings)] = question.limit(of: flow) }
        var readings = reader.readings
        let isShort = readings.contains { reading in limits[reading.key].map { reading.forgotten > $0 } ?? false }
        if isShort {
            let again = TailReader(question, limits: limits)
            _ = try pass.run([again], progress: progress)
            readings = again.readings
        }
        tails = []
        for flow in flows {
            let key = TailKey(flow, findings)
            guard var reading = readings.first(where: { $0.key == key }), let limit = limits[key] else { continue }
            if question.packet == nil { reading.settle(limit) }
            if reading.hasTooMany { throw TailFault.tooMany(limit: TailQuestion.mostSlow) }
            if !reading.slow.isEmpty { tails.append(Tail(flow, limit, reading, seed: seed)) }
        }
        guard let packet = question.packet else { return }
        guard let tail = tails.first else { throw TailFault.noPacket(packet) }
        if let evidence = witness?[packet] {
            passages = Passage.all(of: tail.flow, reader.times, evidence, findings)
        }
    }

    /// A stage that is asked for is one of some flow's.
    private static func checkStage(_ question: TailQuestion, _ flows: [Flow]) throws {
        let stages = flows.flatMap(\.stages)
        guard let name = question.stage, !flows.isEmpty, !stages.contains(where: { $0.stage.name == name }) else {
            return
        }
        var names: [String] = []
        for stage in stages where stage.samples.count > 0 && !names.contains(stage.stage.name) {
            names.append(stage.stage.name)
        }
        throw TailFault.noStage(name, names)
    }
}

extension TailKey {
    /// The packets that a flow's table is of.
    init(_ flow: Flow, _ findings: SessionFindings) {
        self.init(
            machine: flow.machine, device: findings.names.name(flow.device), direction: flow.direction,
            path: flow.path, isWithoutCall: flow.withoutCall == flow.complete)
    }
}

extension TailQuestion {
    /// Above which time a packet of a flow is slow; nil where it has no packets with the stage that is asked for.
    /// Beyond a percentile there is one packet at least.
    fileprivate func limit(of flow: Flow) -> Nanoseconds? {
        let samples = stage.map { name in flow.stages.first { $0.stage.name == name }?.samples } ?? flow.endToEnd
        guard let samples, samples.count > 0 else { return nil }
        switch limit {
        case .time(let time): return time
        case .percentile(let percent):
            let slow = max(1, Int(Double(samples.count) * (100 - percent) / 100))
            let rest = Double(samples.count - slow) / Double(samples.count) * 100
            // Quantiles have three digits, so the largest value may be its own.
            return min(samples.percentiles([rest])[0], samples.maximum - 1)
        }
    }
}

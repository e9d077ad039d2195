// One kind's packets held against its calls.
//
// Payloads are not in a trace. A packet is known by its place: one thread sends all packets of one direction on a CPU
// of its own, so the k-th frame on the device is the k-th that was sent. Where several CPUs send, it is one of those
// that were being sent at its time. Of a stream it is the bytes' places that are counted.

/// A frame that the application's calls put on the wire.
private struct Frame {
    var sequences: [Int] = []
    var begin = Int64.max
    var end = Int64.min
    var isKernels = false
}

struct Truth {
    /// A trace clock may be off its own clock by so much while the kernel adjusts it (ktime_get_mono_fast_ns).
    private static let slackNS: Int64 = 1_000
    /// What a CPU may need from a sending call to the softirq that receives its packet.
    private static let softirqNS: Int64 = 50_000
    /// No payload of ours is so short that its frame is not longer than any of TCP's own.
    private static let shortest = 110
    /// Ethernet, IPv4 or IPv6, TCP with time stamps or without.
    private static let streamHeaders = [66, 86, 54, 74]

    let kind: Kind
    let calls: [CallRow]
    /// Those of the kind's time on its two devices.
    let journeys: [Journey]
    let devices: [Side: String]
    private var verdict: Verdict

    init(_ kind: Kind, _ calls: [CallRow], _ journeys: [Journey], _ devices: [Side: String]) {
        self.kind = kind
        self.calls = calls
        self.journeys = journeys
        self.devices = devices
        verdict = Verdict(kind: kind.name)
    }

    static func hold(_ kind: Kind, _ calls: [CallRow], _ journeys: [Journey], _ devices: [Side: String]) -> Verdict {
        var truth = Truth(kind, calls, journeys, devices)
        for way in [Way.ab, .ba] {
            truth.hold(way, .tx)
            truth.hold(way, .rx)
        }
        return truth.verdict
    }

    private mutating func hold(_ way: Way, _ direction: Journey.Direction) {
        let device = devices[direction == .tx ? way.from : way.to]
        let mine = journeys.filter { $0.device == device && $0.direction == direction }.sorted {
            $0.onDevice < $1.onDevice
        }
        for journey in mine {
            verdict.count(journey)
            if !journey.runsForward { verdict.note(.wrong, "points run backwards: \(journey.line)") }
        }
        let sends = calls.filter { $0.way == way && $0.event != .read }
        let isStream = sends.contains { $0.isStream }
        let wires = Set(sends.map(\.wire))
        let isData = { (journey: Journey) in
            isStream || wires == [0] ? journey.length >= Self.shortest : wires.contains(journey.length)
        }
        let data = mine.filter(isData)
        if isStream { holdStream(way, direction, data, sends) } else { holdFrames(way, direction, data, sends) }
        holdOthers(mine.filter { !isData($0) })
    }

    /// The kernel's own packets: nobody reads them.
    private mutating func holdOthers(_ others: [Journey]) {
        for journey in others {
            if journey.isComplete, journey.direction == .rx {
                verdict.note(.wrong, "read, but it is the kernel's own: \(journey.line)")
            } else if ["trace-edge", "lost-events"].contains(journey.reason) {
                verdict.note(.falseReason, "\(journey.reason) of the kernel's own: \(journey.line)")
            }
        }
    }

    // MARK: Datagrams

    private mutating func holdFrames(
        _ way: Way, _ direction: Journey.Direction, _ data: [Journey], _ sends: [CallRow]
    ) {
        var frames = [Frame](repeating: Frame(), count: sends.map { $0.frame + $0.frames }.max() ?? 0)
        for row in sends {
            for index in row.frame..<row.frame + row.frames {
                frames[index].sequences.append(row.sequence)
                frames[index].begin = min(frames[index].begin, row.begin)
                frames[index].end = max(frames[index].end, row.end)
                if row.event == .kernelSend { frames[index].isKernels = true }
            }
        }
        if data.count < frames.count {
            verdict.note(
                .vanished, "\(direction) \(way): \(data.count) of \(frames.count) frames are there",
                count: frames.count - data.count)
        } else if data.count > frames.count {
            verdict.note(
                .wrong, "\(direction) \(way): \(data.count) packets for \(frames.count) frames",
                count: data.count - frames.count)
        }
        let reads = Dictionary(grouping: calls.filter { $0.way == way && $0.event == .read }, by: \.sequence)
        if !kind.isOrdered {
            holdUnordered(direction, data, frames, reads)
            return
        }
        for (journey, frame) in zip(data, Self.match(data, frames)) {
            guard let frame else { continue }
            switch direction {
            case .tx: holdSent(journey, [(frame.begin, frame.end)], isKernels: frame.isKernels, isStream: false)
            case .rx: holdRead(journey, frame.sequences.flatMap { reads[$0] ?? [] }, "\(frame.sequences)")
            }
        }
    }

    /// Several CPUs sent: a packet is one of those that were being sent when it was on the device.
    private mutating func holdUnordered(
        _ direction: Journey.Direction, _ data: [Journey], _ frames: [Frame], _ reads: [Int: [CallRow]]
    ) {
        for journey in data {
            let time = journey.onDevice
            let these = frames.filter { $0.begin <= time && time <= $0.end + Self.softirqNS }
            if these.isEmpty { verdict.note(.wrong, "nothing was being sent then: \(journey.line)") }
            switch direction {
            case .tx: holdSent(journey, these.map { ($0.begin, $0.end) }, isKernels: false, isStream: false)
            case .rx:
                let sequences = these.flatMap(\.sequences)
                holdRead(journey, sequences.flatMap { reads[$0] ?? [] }, "\(sequences)")
            }
        }
    }

    /// Which frame each packet is: by rank, or by the time of the call where some are missing or too many.
    private static func match(_ data: [Journey], _ frames: [Frame]) -> [Frame?] {
        if data.count == frames.count { return frames }
        var next = 0
        return data.map { journey in
            guard next < frames.count, frames[next].begin <= journey.onDevice else { return nil }
            // Frames whose call had ended before were those that are missing, if the one after was called already.
            while next + 1 < frames.count, frames[next].end < journey.onDevice,
                frames[next + 1].begin <= journey.onDevice
            { next += 1 }
            defer { next += 1 }
            return frames[next]
        }
    }

    private mutating func holdSent(_ journey: Journey, _ windows: [(Int64, Int64)], isKernels: Bool, isStream: Bool) {
        guard journey.isComplete else {
            if !["ambiguous", "not-recorded"].contains(journey.reason) {
                verdict.note(.falseReason, "\(journey.reason), but it was sent: \(journey.line)")
            }
            return
        }
        guard let time = journey.times["app.send"] else {
            if kind.sendsInTracedCall, !isStream, !isKernels { verdict.note(.noSend, "\(journey.line)") }
            return
        }
        if isKernels {
            verdict.note(.wrong, "the kernel sent it, and no call: \(journey.line)")
        } else if !Self.contains(windows, time) {
            verdict.note(.wrong, "app.send is not in \(Self.text(windows)): \(journey.line)")
        }
    }

    private mutating func holdRead(_ journey: Journey, _ reads: [CallRow], _ what: String) {
        let windows = reads.map { ($0.begin, $0.end) }
        if journey.isComplete {
            if windows.isEmpty {
                verdict.note(.wrong, "nobody read \(what): \(journey.line)")
            } else if !Self.contains(windows, journey.times["app.read"] ?? 0) {
                verdict.note(.wrong, "\(what) was read in \(Self.text(windows)): \(journey.line)")
            }
            return
        }
        let isFalse =
            windows.isEmpty
            ? ["trace-edge", "lost-events"].contains(journey.reason)
            : ["trace-edge", "lost-events", "dropped", "kernel-consumed"].contains(journey.reason)
        if isFalse {
            let truth = windows.isEmpty ? "it came while recording" : "\(what) was read in \(Self.text(windows))"
            verdict.note(.falseReason, "\(journey.reason), but \(truth): \(journey.line)")
        }
    }

    private static func contains(_ windows: [(Int64, Int64)], _ time: Int64) -> Bool {
        windows.contains { $0.0 - slackNS <= time && time <= $0.1 + slackNS }
    }

    private static func text(_ windows: [(Int64, Int64)]) -> String {
        windows.prefix(8).map { "\($0.0)…\($0.1)" }.joined(separator: " or ")
    }

    // MARK: Streams

    /// Ranks of packets that TCP sent once more although they had arrived, because their acknowledgement was late (a
    /// tail loss probe, net/ipv4/tcp_output.c): the receiver drops them, and without them the stream is whole.
    private func sentAgain(_ way: Way, _ total: Int) -> Set<Int> {
        let received = received(way)
        let dropped = Set(received.indices.filter { received[$0].reason == "dropped" })
        for header in Self.streamHeaders {
            let all = received.reduce(0) { $0 + $1.length - header }
            let twice = dropped.reduce(0) { $0 + received[$1].length - header }
            if all != total, all - twice == total { return dropped }
        }
        return []
    }

    private func received(_ way: Way) -> [Journey] {
        journeys.filter { $0.device == devices[way.to] && $0.direction == .rx && $0.length >= Self.shortest }
            .sorted { $0.onDevice < $1.onDevice }
    }

    /// What the next packet tells of one that came twice: a SACK option of one block with its padding (RFC 2883).
    private static let duplicateOption = 12

    /// Bytes of further options by rank of the packet: the first ones after others came twice from the other end.
    private func furtherOptions(_ way: Way, _ data: [Journey], excess: Int) -> [Int: Int] {
        guard excess > 0, excess % Self.duplicateOption == 0 else { return [:] }
        let back: Way = way == .ab ? .ba : .ab
        let total = calls.filter { $0.way == back && $0.event == .send }.reduce(0) { $0 + $1.bytes }
        let (arrivals, again) = (received(back), sentAgain(back, total))
        let tellers = again.sorted().compactMap { rank in data.firstIndex { $0.onDevice > arrivals[rank].onDevice } }
        guard excess / Self.duplicateOption <= tellers.count else { return [:] }
        return Dictionary(
            tellers.prefix(excess / Self.duplicateOption).map { ($0, Self.duplicateOption) }, uniquingKeysWith: +)
    }

    private mutating func holdStream(
        _ way: Way, _ direction: Journey.Direction, _ data: [Journey], _ sends: [CallRow]
    ) {
        let total = sends.reduce(0) { $0 + $1.bytes }
        let again = sentAgain(way, total)
        let data = data.indices.filter { !again.contains($0) }.map { data[$0] }
        let reads = calls.filter { $0.way == way && $0.event == .read }
        let sums = Self.streamHeaders.map { header in data.reduce(0) { $0 + $1.length - header } }
        let options = sums.map { furtherOptions(way, data, excess: $0 - total) }
        guard let index = sums.indices.first(where: { sums[$0] - options[$0].values.reduce(0, +) == total }) else {
            let missing = total - sums[0]
            verdict.note(
                missing > 0 ? .vanished : .wrong,
                "\(direction) \(way): \(data.count) packets hold \(sums[0]) of \(total) bytes, or \(sums)")
            return
        }
        var place = 0
        for (rank, journey) in data.enumerated() {
            let end = place + journey.length - Self.streamHeaders[index] - (options[index][rank] ?? 0)
            let touches = { (row: CallRow) in row.sequence < end && place < row.sequence + row.bytes }
            switch direction {
            case .tx:
                // What was queued before may leave in a later call.
                let windows = sends.filter { $0.sequence + $0.bytes > place && $0.begin <= journey.onDevice }.map {
                    ($0.begin, $0.end)
                }
                holdSent(journey, windows, isKernels: false, isStream: true)
            case .rx: holdRead(journey, reads.filter(touches), "bytes \(place)..<\(end)")
            }
            place = end
        }
    }
}

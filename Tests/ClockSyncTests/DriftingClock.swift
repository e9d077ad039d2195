// A guest's clock as it may be: an offset, a drift, and now and then it is set.

import ClockSync

/// A clock that drifts against the host's and is set at some instants.
struct DriftingClock {
    /// Raw times of both at the host's first instant.
    let hostStart: UInt64
    let guestStart: UInt64
    /// How much faster the host's clock runs, by the guest's.
    let drift: Double
    /// When it was set, in ns since the host's first instant, and by how much host minus guest rose.
    var steps: [(at: Double, size: Double)] = []

    /// Offsets up to ten days, drift up to 200 ppm.
    init(_ chance: inout Chance) {
        let tenDays = 864_000_000_000_000.0
        hostStart = UInt64(chance.real(2 * tenDays, 20 * tenDays))
        guestStart = hostStart &+ UInt64(bitPattern: Int64(chance.real(-tenDays, tenDays)))
        drift = chance.real(-2e-4, 2e-4)
    }

    init(hostStart: UInt64, guestStart: UInt64, drift: Double) {
        self.hostStart = hostStart
        self.guestStart = guestStart
        self.drift = drift
    }

    /// What the guest's clock shows, cut off to ticks as clocks are.
    func guest(at host: Double) -> RawTime {
        var set = 0.0
        for step in steps where step.at <= host { set += step.size }
        return guestStart &+ RawTime(bitPattern: Int64(((host - set) / (1 + drift)).rounded(.down)))
    }

    /// What the host's clock shows, cut off.
    func host(at host: Double) -> RawTime { hostStart &+ RawTime(bitPattern: Int64(host.rounded(.down))) }

    /// Host minus guest at a raw guest time, on the line before the first step.
    func offset(at raw: RawTime) -> Double {
        Double(Int64(bitPattern: raw &- guestStart)) * drift + Double(Int64(bitPattern: hostStart &- guestStart))
    }
}

/// How messages fare on the way: most take little more than the least they can, some much longer.
struct Delays {
    var least: Double
    var jitter: Double

    func one(_ chance: inout Chance) -> Double {
        least + jitter * (chance.isHeads(0.1) ? chance.scale(1, 20) : chance.share())
    }
}

/// Bounds on a clock's offset as they are observed, in that order.
struct Observation {
    var bounds: [OffsetBound] = []
    /// The instants at which the clock was looked at, in ns since the host's first instant.
    var instants: [Double] = []

    /// Host and guest send each other messages: what was sent was not received before.
    mutating func exchange(_ clock: DriftingClock, at sent: Double, _ there: Double, _ pause: Double, _ back: Double) {
        let (arrived, answered) = (sent + there, sent + there + pause)
        let (received, answer) = (clock.guest(at: arrived), clock.guest(at: answered))
        bounds.append(OffsetBound(time: received, low: Int64(bitPattern: clock.host(at: sent) &- received), high: nil))
        bounds.append(
            OffsetBound(time: answer, low: nil, high: Int64(bitPattern: clock.host(at: answered + back) &- answer)))
        instants += [arrived, answered]
    }

    /// The guest's clock is read between two readings of the host's.
    mutating func reading(_ clock: DriftingClock, at read: Double, _ before: Double, _ after: Double) {
        let raw = clock.guest(at: read)
        bounds.append(
            OffsetBound(
                time: raw, low: Int64(bitPattern: clock.host(at: read - before) &- raw),
                high: Int64(bitPattern: clock.host(at: read + after) &- raw)))
        instants.append(read)
    }
}

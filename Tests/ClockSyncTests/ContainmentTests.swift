// A guest's clock out of its events alone: they lie where its vCPUs were in the guest.

import ClockSync
import Testing

@Suite struct ContainmentTests {
    /// vCPU threads that run now and then, and a guest that does something whenever they do.
    struct Scene {
        var clock: DriftingClock
        var evidence: ContainmentEvidence
        /// The host's thread of each guest CPU.
        var threads: [Int: Int32] = [:]

        /// How long a thread is in the guest, and how long it is not, in ns.
        typealias Pattern = (inout Chance) -> (inside: Double, outside: Double)

        /// - Parameters:
        ///   - host: what the host recorded, in ns of the time in which threads ran from 0 to `duration`.
        ///   - guest: what the guest recorded.
        init(
            _ chance: inout Chance, cpus: Int, duration: Double, host: ClosedRange<Double>, guest: ClosedRange<Double>,
            pattern: Pattern
        ) {
            clock = DriftingClock(&chance)
            evidence = ContainmentEvidence(
                host: clock.host(at: host.lowerBound)...clock.host(at: host.upperBound), windows: [], activity: [])
            for cpu in 0..<cpus {
                let thread = Int32(1000 + chance.whole(0...5000) * 4 + cpu)
                threads[cpu] = thread
                var windows = EntryWindows(thread: thread)
                var times: [RawTime] = []
                var now = chance.real(0, 2e6)
                while now < duration {
                    let (inside, outside) = pattern(&chance)
                    let (begin, end) = (now, now + inside)
                    if end >= host.lowerBound, begin <= host.upperBound {
                        windows.add(
                            clock.host(at: max(begin, host.lowerBound)), clock.host(at: min(end, host.upperBound)))
                    }
                    // Something soon after the entry, something soon before the exit, and some in between.
                    var events = [
                        begin + min(inside, chance.scale(300, 20_000)), end - min(inside, chance.scale(300, 20_000)),
                    ]
                    for _ in 0..<chance.whole(0...3) { events.append(chance.real(begin, end)) }
                    times += events.filter { guest.contains($0) }.sorted().map { clock.guest(at: $0) }
                    now = end + outside
                }
                evidence.windows.append(windows)
                evidence.activity.append(GuestActivity(cpu: cpu, times: times))
            }
            evidence.windows.shuffle(using: &chance)
        }

        /// Threads that are woken when they are.
        static func busy(_ chance: inout Chance) -> (inside: Double, outside: Double) {
            (
                chance.scale(20_000, 2_000_000),
                chance.isHeads(0.7) ? chance.scale(2000, 50_000) : chance.scale(200_000, 10_000_000)
            )
        }

        /// The first event at which what was found leaves out the truth.
        func falsehood(_ found: ContainmentFit) -> String? {
            let map = ClockMap.fitted(found.fit, over: common(found), hostClock: nil, method: .containment)
            for activity in evidence.activity {
                for raw in activity.times where common(found).contains(raw) {
                    let truth = Int64(clock.offset(at: raw).rounded(.down))
                    let range = found.fit.pieces[0].band.range(at: raw)
                    if truth + 1 < range.lowerBound || truth > range.upperBound { return "\(truth) is not in \(range)" }
                    let error = abs(map.hostTime(raw) - Int64(bitPattern: raw) - truth)
                    if error > map.errorBound(at: raw)! + 1 {
                        return "off by \(error), bound \(map.errorBound(at: raw)!)"
                    }
                }
            }
            return nil
        }

        private func common(_ found: ContainmentFit) -> ClosedRange<RawTime> { found.fit.pieces[0].times }
    }

    // Unoptimised, the Fourier transforms take most of the time.
    #if DEBUG
        static let seeds = 0..<12 as Range<UInt64>
    #else
        static let seeds = 0..<200 as Range<UInt64>
    #endif

    @Test(arguments: seeds)
    func `a guest's clock is found from its events, with the truth within the error`(seed: UInt64) throws {
        var chance = Chance(seed: seed)
        let (cpus, duration) = (chance.whole(1...3), chance.real(1e9, 2.5e9))
        // The guest recorded longer, the host did, or each began without the other.
        let parts = [(0.2...0.8, 0.0...1.0), (0.0...1.0, 0.25...0.75), (0.0...0.7, 0.3...1.0), (0.3...1.0, 0.0...0.7)][
            Int(seed % 4)]
        func span(_ part: ClosedRange<Double>) -> ClosedRange<Double> {
            part.lowerBound * duration...part.upperBound * duration
        }
        let scene = Scene(
            &chance, cpus: cpus, duration: duration, host: span(parts.0), guest: span(parts.1), pattern: Scene.busy)
        let found = try scene.evidence.search(ticks: 1e6)
        expect(found, scene)
    }

    @Test(arguments: seeds)
    func `what is found of a drifting clock is never wrong`(seed: UInt64) {
        var chance = Chance(seed: seed ^ 0x44_0000)
        let whole = 0...chance.real(0.5e9, 1.5e9)
        let scene = Scene(
            &chance, cpus: chance.whole(1...2), duration: whole.upperBound, host: whole, guest: whole,
            pattern: Scene.busy)
        if let found = try? scene.evidence.search(ticks: 1e6) { expect(found, scene) }
    }

    private func expect(_ found: ContainmentFit, _ scene: Scene) {
        #expect(found.threads == scene.threads)
        // At the edges of windows the line is rounded to ticks.
        #expect(found.count.outside <= 2 && found.count.inside > 100, "\(found.count)")
        if let falsehood = scene.falsehood(found) { Issue.record("\(falsehood)") }
    }

    @Test(arguments: seeds)
    func `clocks of one rate are found with none`(seed: UInt64) throws {
        var chance = Chance(seed: seed ^ 0x11_0000)
        let whole = 0...chance.real(0.5e9, 1.5e9)
        var scene = Scene(&chance, cpus: 1, duration: whole.upperBound, host: whole, guest: whole, pattern: Scene.busy)
        // The same events, by a clock that does not drift.
        let same = DriftingClock(hostStart: scene.clock.hostStart, guestStart: scene.clock.guestStart, drift: 0)
        scene.evidence.activity[0].times = scene.evidence.activity[0].times.map { raw in
            let since = Double(Int64(bitPattern: raw &- scene.clock.guestStart)) * (1 + scene.clock.drift)
            return same.guest(at: since + 1)
        }
        scene.clock = same
        let found = try scene.evidence.search(ticks: 1e6, drift: 0...0)
        if let falsehood = scene.falsehood(found) { Issue.record("\(falsehood)") }
    }

    @Test(arguments: seeds)
    func `a regular pattern is ambiguous or found right, never wrong`(seed: UInt64) {
        var chance = Chance(seed: seed ^ 0x22_0000)
        let (period, share) = (chance.scale(500_000, 20_000_000), chance.real(0.02, 0.5))
        let jitter = chance.isHeads() ? 0 : chance.scale(10, 100_000)
        let whole = 0...chance.real(0.5e9, 1.5e9)
        let part = chance.isHeads() ? whole : 0...whole.upperBound / 2
        let scene = Scene(&chance, cpus: chance.whole(1...2), duration: whole.upperBound, host: whole, guest: part) {
            chance in
            let late = chance.share() * min(jitter, period / 4)
            return (period * share, period * (1 - share) - min(jitter, period / 4) / 2 + late)
        }
        guard let found = try? scene.evidence.search(ticks: 1e6) else { return }
        if let falsehood = scene.falsehood(found) {
            Issue.record("period \(period), inside \(share), jitter \(jitter): \(falsehood)")
        }
    }

    @Test(arguments: seeds)
    func `recordings that have nothing to do with each other do not match`(seed: UInt64) {
        var chance = Chance(seed: seed ^ 0x33_0000)
        let whole = 0...chance.real(0.5e9, 1.5e9)
        var scene = Scene(&chance, cpus: 1, duration: whole.upperBound, host: whole, guest: whole, pattern: Scene.busy)
        let other = Scene(&chance, cpus: 1, duration: whole.upperBound, host: whole, guest: whole, pattern: Scene.busy)
        scene.evidence.activity = other.evidence.activity
        do throws(ContainmentFault) {
            let found = try scene.evidence.search(ticks: 1e6)
            Issue.record("found \(found.count)")
        } catch {
            guard case .noMatch = error else {
                Issue.record("\(error)")
                return
            }
        }
    }

    /// As a few damaged words of a file have it: each of them would be looked at with a quarter of an hour around it.
    @Test(.timeLimit(.minutes(1))) func `windows that lie hours apart are no more work than those that lie together`()
        throws
    {
        var chance = Chance(seed: 15)
        let whole = 0...1e9
        var scene = Scene(&chance, cpus: 2, duration: whole.upperBound, host: whole, guest: whole, pattern: Scene.busy)
        let strayed = (1...40).map { scene.clock.host(at: Double($0) * 1e12) }
        for index in scene.evidence.windows.indices {
            for time in strayed { scene.evidence.windows[index].add(time, time + 100_000) }
        }
        scene.evidence.host = scene.evidence.host.lowerBound...strayed[39] + 100_000
        let found = try scene.evidence.search(ticks: 1e6)
        expect(found, scene)
    }

    /// Nothing but damage: a window in each of two thousand hours.
    @Test(.timeLimit(.minutes(1))) func `windows that are scattered over months are given up`() {
        var windows = EntryWindows(thread: 7)
        for hour in 1...2000 as ClosedRange<RawTime> {
            windows.add(hour * 3_600_000_000_000, hour * 3_600_000_000_000 + 1000)
        }
        let times = (1...60 as ClosedRange<RawTime>).map { $0 * 1_000_000 }
        let evidence = ContainmentEvidence(
            host: windows.begins[0]...windows.ends[1999], windows: [windows],
            activity: [GuestActivity(cpu: 0, times: times)])
        #expect(throws: ContainmentFault.scattered) { try evidence.search(ticks: 1e6) }
    }

    @Test func `without windows or events there is nothing to compare`() {
        let none = ContainmentEvidence(host: 0...1000, windows: [], activity: [GuestActivity(cpu: 0, times: [1, 2])])
        #expect(throws: ContainmentFault.nothingToCompare) { try none.search(ticks: 1e6) }
        let few = ContainmentEvidence(
            host: 0...1000, windows: [EntryWindows(thread: 1)], activity: [GuestActivity(cpu: 0, times: [1, 2])])
        #expect(throws: ContainmentFault.nothingToCompare) { try few.search(ticks: 1e6) }
    }
}

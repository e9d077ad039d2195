// Stages tile: whatever points are absent, a journey's stages add up to its whole time.

import ClockSync
import Findings
import GuestClocks
import PacketPath
import Statistics
import TestSupport
import Testing
import TraceData

@Suite struct BreakdownTests {
    /// A session of a host and two guests without an event; journeys come from scenes.
    private func start() throws -> PassStart {
        let host = TraceBuilder()
        host.event("kvm", "kvm_entry", [.u32("vcpu_id")])
        host.traceID(1)
        host.guest("g1", traceID: 2, threads: [0: 181])
        host.guest("g2", traceID: 3, threads: [0: 281])
        let guests = (2...3 as ClosedRange<UInt64>).map { id in
            let guest = TraceBuilder()
            guest.traceID(id)
            guest.timeShift(peer: 1, cpus: [[TraceBuilder.Shift(at: 0, offset: 0)]])
            return guest
        }
        let machines = try Machines(
            [("host", host), ("a", guests[0]), ("b", guests[1])].map { MachineFile(name: $0.0, file: try $0.1.open()) })
        return PassStart(machines: machines, clocks: [], names: NameTable(), zero: 0)
    }

    /// Complete journeys of one scene: one received, one sent.
    private func journeys() throws -> (receive: Journey, transmit: Journey) {
        var scene = Scene()
        let round = scene.plainRound()
        let found = scene.run()
        return (try #require(found[round.receive[0]]), try #require(found[round.transmit[0]]))
    }

    private func stage(_ name: String, _ flow: Flow) throws -> Samples {
        try #require(flow.stages.first { $0.stage.name == name }).samples
    }

    @Test func `a whole journey's stages are the times between its points`() throws {
        let breakdown = Breakdown()
        let (receive, transmit) = try journeys()
        breakdown.take(receive)
        breakdown.take(transmit)
        #expect(breakdown.flows.count == 2)
        for (flow, journey) in zip(breakdown.flows, [receive, transmit]) {
            var previous: Nanoseconds?
            for rule in PathDescription.tap.rules(journey.direction) where journey.times.has(rule.point) {
                guard let stage = rule.stage else {
                    previous = previous ?? journey.times[rule.point]
                    continue
                }
                #expect(try self.stage(stage.name, flow).total == Int128(journey.times[rule.point] - previous!))
                previous = journey.times[rule.point]
            }
            #expect(flow.stages.reduce(0) { $0 + $1.samples.total } == flow.endToEnd.total)
        }
    }

    @Test func `an absent point's time goes to the stage after it, and its own stage has no sample`() throws {
        let breakdown = Breakdown()
        var journey = try journeys().receive
        let times = journey.times
        for point in [Point.vhostWake, .vhostRun, .vcpuWake, .vcpuRun, .vcpuEntry] {
            journey.times[point] = PointTimes.absent
        }
        breakdown.take(journey)
        let flow = breakdown.flows[0]
        #expect(try stage("vhost-wakeup", flow).count == 0)
        #expect(try stage("vhost-copy", flow).total == Int128(times[.vhostCopy] - times[.hostEgress]))
        #expect(try stage("kvm-wakeup", flow).count == 0)
        #expect(try stage("kvm-entry", flow).count == 0)
        #expect(try stage("guest-irq", flow).total == Int128(times[.guestIngress] - times[.irqInject]))
        #expect(flow.endToEnd.total == Int128(times[.guestRead] - times[.nicIRQ]))
    }

    @Test func `a journey that begins later has no time before its first point`() throws {
        let breakdown = Breakdown()
        var journey = try journeys().receive
        let times = journey.times
        journey.times[.nicIRQ] = PointTimes.absent
        breakdown.take(journey)
        journey.times[.hostIngress] = PointTimes.absent
        breakdown.take(journey)
        let flow = breakdown.flows[0]
        #expect(try stage("irq", flow).count == 0)
        #expect(try stage("host-stack", flow).count == 1)
        #expect(flow.endToEnd.maximum == times[.guestRead] - times[.hostIngress])
        #expect(flow.endToEnd.minimum == times[.guestRead] - times[.hostEgress])
    }

    @Test(arguments: Direction.allCases)
    func `the stages of any journey add up to its end-to-end time`(direction: Direction) throws {
        let whole = try journeys()
        var random = SplitMix64(seed: 7)
        for _ in 0..<2000 {
            var journey = direction == .receive ? whole.receive : whole.transmit
            var time: Nanoseconds = Nanoseconds.random(in: -1_000_000...1 << 60, using: &random)
            for rule in PathDescription.tap.rules(direction) {
                time += Nanoseconds.random(in: 0...1_000_000, using: &random)
                journey.times[rule.point] = rule.isOptional && Bool.random(using: &random) ? PointTimes.absent : time
            }
            let breakdown = Breakdown()
            breakdown.take(journey)
            let flow = breakdown.flows[0]
            #expect(flow.stages.reduce(0) { $0 + $1.samples.total } == flow.endToEnd.total)
            #expect(flow.endToEnd.count == 1)
            #expect(flow.stages.allSatisfy { $0.samples.minimum >= 0 && $0.samples.count <= 1 })
        }
    }

    @Test func `random traffic's stages add up to the sum of all end-to-end times`() throws {
        let traffic = Traffic(seed: 5, packets: 600)
        traffic.run()
        let found = traffic.scene.run()
        let breakdown = Breakdown()
        for journey in found.journeys { breakdown.take(journey) }
        #expect(breakdown.flows.count == 2)
        #expect(breakdown.flows.reduce(0) { $0 + $1.seen } == found.journeys.count)
        for flow in breakdown.flows {
            #expect(flow.stages.reduce(0) { $0 + $1.samples.total } == flow.endToEnd.total)
            // Those without a call of their own are not in the table of those that have one.
            #expect(flow.endToEnd.count + flow.withoutCall == flow.complete)
            #expect(Outcome.allCases.reduce(0) { $0 + flow.count($1) } == flow.seen)
            let shares = flow.stages.reduce(0) { $0 + flow.share($1) }
            #expect(abs(shares - 1) < 1e-9)
        }
        let receive = try #require(breakdown.flows.first { $0.direction == .receive })
        #expect(Delivery.allCases.reduce(0) { $0 + receive.count($1) } == receive.complete)
    }

    @Test func `incomplete journeys are counted by reason and take no time`() throws {
        let breakdown = Breakdown()
        var journey = try journeys().receive
        breakdown.take(journey)
        for outcome in Outcome.allCases where outcome != .complete {
            journey.outcome = outcome
            journey.dropReason = 15
            breakdown.take(journey)
        }
        let flow = breakdown.flows[0]
        #expect(flow.seen == Outcome.allCases.count)
        #expect(Outcome.allCases.allSatisfy { flow.count($0) == 1 })
        #expect(flow.dropReasons == [15: 1])
        #expect(flow.endToEnd.count == 1)
        #expect(Delivery.allCases.reduce(0) { $0 + flow.count($1) } == 1)
    }

    @Test func `flows are apart by guest, device and direction, and come in the order of reports`() throws {
        let start = try start()
        let breakdown = Breakdown()
        breakdown.begin(start)
        let whole = try journeys()
        for (machine, device) in [(2, "eth0"), (1, "eth1"), (1, "eth0")] {
            for var journey in [whole.transmit, whole.receive] {
                journey.machine = machine
                journey.device = start.names.id(of: device)
                breakdown.take(journey)
                breakdown.take(journey)
            }
        }
        let sorted = breakdown.sortedFlows
        #expect(sorted.map(\.machine) == [1, 1, 1, 1, 2, 2])
        #expect(sorted.map { start.names.name($0.device) } == ["eth0", "eth0", "eth1", "eth1", "eth0", "eth0"])
        #expect(sorted.map(\.direction.name) == ["rx", "tx", "rx", "tx", "rx", "tx"])
        #expect(sorted.allSatisfy { $0.seen == 2 })
    }

    @Test func `what was taken in a void pass is forgotten`() throws {
        let breakdown = Breakdown()
        let (receive, transmit) = try journeys()
        breakdown.take(receive)
        breakdown.begin(try start())
        #expect(breakdown.flows.isEmpty && breakdown.guestToGuest.isEmpty)
        breakdown.take(transmit)
        #expect(breakdown.sortedFlows.map(\.seen) == [1])
    }

    @Test func `a filter passes what it names and nothing else`() throws {
        let start = try start()
        var (receive, transmit) = try journeys()
        receive.device = start.names.id(of: "eth0")
        receive.hostDevice = start.names.id(of: "tap0")
        transmit.device = start.names.id(of: "eth1")
        transmit.hostDevice = start.names.id(of: "tap1")
        transmit.machine = 2
        func seen(_ filter: JourneyFilter) -> [Direction] {
            let breakdown = Breakdown()
            let gate = JourneyGate(filter, measured: nil, start, to: [breakdown])
            gate.take(receive)
            gate.take(transmit)
            return breakdown.flows.map(\.direction)
        }
        #expect(seen(JourneyFilter()) == [.receive, .transmit])
        #expect(seen(JourneyFilter(guest: "g1")) == [.receive])
        #expect(seen(JourneyFilter(guest: "g2")) == [.transmit])
        #expect(seen(JourneyFilter(guest: "g3")) == [])
        #expect(seen(JourneyFilter(device: "eth0")) == [.receive])
        #expect(seen(JourneyFilter(device: "tap1")) == [.transmit])
        #expect(seen(JourneyFilter(direction: .transmit)) == [.transmit])
        // By the first point, from `since` on and before `until`.
        let first = receive.times[.nicIRQ]
        let later = transmit.times[.guestSend]
        #expect(seen(JourneyFilter(since: first, until: later)) == [.receive])
        #expect(seen(JourneyFilter(since: first + 1)) == [.transmit])
        #expect(seen(JourneyFilter(until: first)) == [])
        #expect(seen(JourneyFilter(until: later + 1)) == [.receive, .transmit])
    }
}

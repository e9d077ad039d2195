// Every path held against what the applications at both of its ends wrote down: each packet once, in order, and on the
// path it took.

import Testing

@Suite struct PathTests {
    /// The points of a direction in the order of any packet's way.
    private static let ways = [
        "rx": [
            "nic.irq", "nic.wake", "nic.run", "host.ingress", "ovs.upcall", "ovs.reply", "ovs.action", "host.egress",
            "vhost.wake",
            "vhost.run", "vhost.copy", "irq.inject", "vcpu.wake", "vcpu.run", "vcpu.entry", "guest.irq",
            "guest.ingress", "guest.wake",
            "guest.run", "guest.read", "app.wake", "app.run", "app.read",
        ],
        "tx": [
            "app.send", "guest.send", "guest.egress", "kick", "vhost.wake", "vhost.run", "host.ingress", "ovs.upcall",
            "ovs.reply",
            "ovs.action", "host.egress", "nic.xmit",
        ],
    ]

    /// Points that no complete journey is without.
    private static let needed: [String: [String: [String]]] = {
        let tap = [
            "rx": ["host.egress", "vhost.copy", "guest.ingress", "guest.read"],
            "tx": ["guest.egress", "host.ingress", "host.egress", "nic.xmit"],
        ]
        return [
            "tap": tap, "ovs": tap, "qemu": tap,
            "macvtap": ["rx": ["host.ingress", "vhost.copy", "guest.ingress", "guest.read"], "tx": tap["tx"] ?? []],
            "xdp": [
                "rx": ["host.ingress", "guest.ingress", "guest.read"],
                "tx": ["guest.egress", "host.ingress", "nic.xmit"],
            ],
            "vfio": ["rx": ["guest.ingress", "guest.read"], "tx": ["guest.egress", "nic.xmit"]],
            "host": ["rx": ["host.ingress", "app.read"], "tx": ["host.egress", "nic.xmit"]],
        ]
    }()

    @Test(arguments: PathRecording.stored)
    func `what was recorded is whole, and every packet was answered`(recording: PathRecording) async throws {
        let facts = try recording.facts()
        for end in facts.ends { #expect(end.isWhole(facts.count), "\(end.machine): \(end.packets.map(\.sequence))") }
        let (json, journeys) = try await recording.analyzed()
        for machine in json["session"]["machines"].list { #expect(try machine.integer("lost_events") == 0) }
        #expect(journeys.allSatisfy { $0.reason != "lost-events" })
        for clock in json["clocks"].list { #expect(try clock.integer("outside") == 0) }
    }

    @Test(arguments: PathRecording.stored)
    func `the path has its name, and no packet is on another one`(recording: PathRecording) async throws {
        let path = try recording.facts().path
        let (json, journeys) = try await recording.analyzed()
        #expect(!journeys.isEmpty)
        #expect(Set(journeys.map(\.path)) == [path])
        for end in try recording.facts().ends {
            for direction in ["rx", "tx"] {
                let flow = json["flows"].list.first {
                    $0["direction"] == .text(direction)
                        && (end.machine == "host" || $0["machine"] == .text(end.machine))
                }
                #expect(flow?["path"] == .text(path), "\(end.machine) \(direction)")
            }
        }
    }

    @Test(arguments: PathRecording.stored)
    func `each packet that was read is one journey, and no journey was read by nobody`(recording: PathRecording)
        async throws
    {
        let journeys = try await recording.analyzed().journeys
        for end in try recording.facts().ends {
            let complete = end.rows(journeys, "rx").filter(\.isComplete)
            let read = try complete.map { row in
                try #require(row.times["guest.read"] ?? row.times["app.read"], "complete and never read: \(row.text)")
            }
            try hold(end, read.map { $0...$0 }, in: end.packets.map(\.receiving), of: journeys, "rx")
        }
    }

    @Test(arguments: PathRecording.stored)
    func `each packet that was sent is one journey, and no journey was sent by nobody`(recording: PathRecording)
        async throws
    {
        let journeys = try await recording.analyzed().journeys
        for end in try recording.facts().ends {
            let complete = end.rows(journeys, "tx").filter(\.isComplete)
            let handedOver = try complete.map { row in
                try #require(
                    row.times["guest.egress"] ?? row.times["host.egress"], "complete and never sent: \(row.text)")
            }
            // The driver has the packet before the call returns, but where a queue was full or the neighbour was not
            // known yet: then there is no call, and the packet is handed over later.
            let calls = complete.map { $0.times["guest.send"] ?? $0.times["app.send"] }
            let isCallSeen = calls.contains { $0 != nil }
            if isCallSeen { #expect(calls.count { $0 == nil } <= 5) }
            let ranges = zip(calls, handedOver).map { call, time in
                isCallSeen ? call.map { $0...$0 } ?? .min...time : time...time
            }
            try hold(end, ranges, in: end.packets.map(\.sending), of: journeys, "tx")
        }
    }

    /// Each journey has a packet of its own whose interval it meets, and 99 of 100 packets have a journey. Both are in
    /// the application's order, so that the first packet that will do is the right one.
    private func hold(
        _ end: FlowEnd, _ times: [ClosedRange<Int64>], in packets: [ClosedRange<Int64>], of journeys: [JourneyRow],
        _ direction: String
    ) throws {
        var isTaken = packets.map { _ in false }
        var strangers = 0
        for time in times.sorted(by: {
            ($0.lowerBound == .min ? 1 : 0, $0.upperBound) < ($1.lowerBound == .min ? 1 : 0, $1.upperBound)
        }) {
            if let packet = packets.indices.first(where: { !isTaken[$0] && packets[$0].overlaps(time) }) {
                isTaken[packet] = true
            } else {
                strangers += 1
            }
        }
        let matched = isTaken.count { $0 }
        let reasons = Dictionary(
            end.rows(journeys, direction).map { ("\($0.status) \($0.reason)", 1) }, uniquingKeysWith: +)
        #expect(
            Double(matched) >= 0.99 * Double(packets.count),
            "\(end.machine) \(direction): \(matched) of \(packets.count): \(reasons)")
        #expect(strangers == 0, "\(end.machine) \(direction): journeys of no packet, or two of one")
    }

    /// Both ways are queues, so the packets of a flow that are first on the host are first in the application.
    @Test(arguments: PathRecording.stored)
    func `no host half is joined to another packet's guest half`(recording: PathRecording) async throws {
        let journeys = try await recording.analyzed().journeys
        // What a packet passes one by one, in the order of its way; the first that all complete journeys of a flow have
        // is its place in line.
        let places = [
            "rx": ["host.egress", "ovs.action", "host.ingress", "vhost.copy", "guest.ingress"],
            // Behind the ring Open vSwitch may send one that it had to ask about after the next one.
            "tx": ["host.ingress", "host.egress", "nic.xmit"],
        ]
        for end in try recording.facts().ends {
            for (direction, points) in places {
                let complete = end.rows(journeys, direction).filter(\.isComplete)
                let point = try #require(points.first { point in complete.allSatisfy { $0.times[point] != nil } })
                let ends = direction == "rx" ? ["guest.read", "app.read"] : ["guest.egress", "host.egress"]
                let order = complete.sorted { ($0.times[point] ?? 0) < ($1.times[point] ?? 0) }
                    .compactMap { row in ends.compactMap { row.times[$0] }.first }
                #expect(order.count == complete.count)
                #expect(
                    zip(order, order.dropFirst()).allSatisfy { $0 < $1 },
                    "\(end.machine) \(direction): swapped by \(point)")
            }
        }
    }

    @Test(arguments: PathRecording.stored)
    func `time runs forward, stages tile, and every packet is accounted for`(recording: PathRecording) async throws {
        let (json, journeys) = try await recording.analyzed()
        for row in journeys where row.isComplete {
            let way = try #require(Self.ways[row.direction])
            #expect(Set(way).isSuperset(of: row.times.keys), "a point of the other direction: \(row.text)")
            let times = way.compactMap { row.times[$0] }
            #expect(zip(times, times.dropFirst()).allSatisfy { $0 <= $1 }, "\(row.text)")
            for point in try #require(Self.needed[row.path]?[row.direction]) {
                #expect(row.times[point] != nil, "complete without \(point): \(row.text)")
            }
        }
        for flow in json["flows"].list {
            let (machine, direction, device) = (
                try flow.text("machine"), try flow.text("direction"), try flow.text("device")
            )
            let rows = journeys.filter { $0.machine == machine && $0.direction == direction && $0.device == device }
            let packets = flow["packets"]
            let incomplete = try packets["incomplete"].object.keys.reduce(into: [:]) {
                $0[$1] = Int(try packets["incomplete"].integer($1))
            }
            #expect(
                incomplete == Dictionary(rows.filter { !$0.isComplete }.map { ($0.reason, 1) }, uniquingKeysWith: +))
            #expect(try Int(packets.integer("seen")) == rows.count)
            #expect(try Int(packets.integer("complete")) == rows.count(where: \.isComplete))
            let total = { (summary: JSON) in try (summary.number("mean_ns") * summary.number("count")).rounded() }
            let stages = try flow["stages"].list.reduce(0) { try $0 + total($1) }
            #expect(try abs(stages - total(flow["end_to_end"])) <= 1)
        }
        for relay in json["guest_to_guest"].list {
            // Ways that begin with a call, and those that begin with the driver, are not mixed.
            let (complete, uncalled) = (
                try relay["packets"].integer("complete"), try relay["packets"].integer("without_call")
            )
            #expect(try relay["end_to_end"].integer("count") == (uncalled == complete ? complete : complete - uncalled))
            let first = try #require(relay["stages"].list.first)
            #expect(try first.integer("count") == (uncalled == complete ? 0 : complete - uncalled))
        }
    }

    @Test(arguments: PathRecording.stored)
    func `JSON has the keys and types of schema 2, and no others`(recording: PathRecording) async throws {
        let faults = try await FormatTests.document.faults(recording.analyzed().json)
        #expect(faults.isEmpty, "\(faults.joined(separator: "\n"))")
    }

    /// Both queue pairs of the guest carry packets, and the rows say which.
    @Test func `with several queues each row has its own`() async throws {
        let recording = try #require(PathRecording.stored.first { $0.name == "tap-2queues" })
        let journeys = try await recording.analyzed().journeys
        let queues = Set(journeys.filter { $0.isComplete && $0.direction == "rx" }.map(\.queue))
        #expect(queues == [0, 1])
    }

    /// The first packet of a flow that Open vSwitch has forgotten goes up to ovs-vswitchd and comes back; those after
    /// it do not.
    @Test func `a flow miss is seen, and only where there was one`() async throws {
        let recording = try #require(PathRecording.stored.first { $0.name == "ovs-miss" })
        let journeys = try await recording.analyzed().journeys
        for direction in ["rx", "tx"] {
            let complete = journeys.filter { $0.direction == direction && $0.isComplete && $0.length == 106 }
            let missed = complete.filter { $0.times["ovs.upcall"] != nil }
            #expect((1...3).contains(missed.count), "\(direction): \(missed.count)")
            #expect(missed.allSatisfy { $0.times["ovs.reply"] != nil }, "\(direction)")
            #expect(
                complete.allSatisfy { $0.times["ovs.upcall"] != nil || $0.times["ovs.action"] != nil }, "\(direction)")
        }
    }

    @Test func `an interrupt that a thread handles shows that thread's wake-up`() async throws {
        let recording = try #require(PathRecording.stored.first { $0.name == "tap-threadirqs" })
        let journeys = try await recording.analyzed().journeys
        let rows = journeys.filter { $0.direction == "rx" && $0.isComplete && $0.length == 106 }
        let threaded = rows.filter { $0.times["nic.wake"] != nil && $0.times["nic.run"] != nil }
        // But for those that NAPI found while it was polling.
        #expect(threaded.count > rows.count / 2, "\(threaded.count) of \(rows.count)")
    }

    /// No trace of arm64 tells the guest's offset: it is found from what must lie within what.
    @Test(arguments: ["arm64-tap", "arm64-macvtap-2vcpu"])
    func `a clock that nobody tells of is found, as well as is claimed`(name: String) async throws {
        let recording = try #require(PathRecording.stored.first { $0.name == name })
        let run = try await Command.virtlat("analyze", recording.folder, "--format", "json")
        let clock = try #require(try JSON(run.output)["clocks"].list.first)
        let option = try #require(try recording.facts().clockOptions.last)
        let exact = try #require(Int64(option.dropFirst("offset=".count).dropLast("ns".count)))
        #expect(clock["method"] == .text("containment"))
        #expect(try abs(clock.integer("offset_ns") - exact) <= clock.integer("error_ns"))
        #expect(try clock.integer("error_ns") < 100_000)
    }
}

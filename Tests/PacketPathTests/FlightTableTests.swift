// The table of packets on their way: who has which address, and what a stale id is worth.

#if DEBUG
    import ClockSync
    @testable import PacketPath
    import Statistics
    import Testing
    import TraceData

    @Suite struct FlightTableTests {
        private func mark(_ time: Nanoseconds) -> Mark {
            Mark(time: time, a: 0, b: 0, thread: 42, lane: 3, kind: MarkKind.copy.rawValue, flags: 0)
        }

        @Test func `an id is stale once its flight is released, also when its place is used again`() {
            var flights = FlightTable(machines: 1)
            let first = flights.add(.receive, on: .host)
            flights.release(first)
            #expect(flights.contains(first) == false)
            let second = flights.add(.transmit, on: .host)
            #expect(second.index == first.index && second != first)
            let (isFirst, isSecond) = (flights.contains(first), flights.contains(second))
            #expect(!isFirst && isSecond)
            // A second release of the first one must not free the second.
            flights.release(first)
            #expect(flights.contains(second) == true)
        }

        @Test func `an address is one kernel's, and a flight has one at a time`() {
            var flights = FlightTable(machines: 2)
            let id = flights.add(.receive, on: .host)
            flights.name(id, 0x100, on: .host)
            #expect(flights.holder(of: 0x100, on: .host) == id)
            #expect(flights.holder(of: 0x100, on: MachineID(guest: 0)) == .none)
            flights.name(id, 0x200, on: MachineID(guest: 0))
            #expect(flights.holder(of: 0x100, on: .host) == .none)
            #expect(flights.holder(of: 0x200, on: MachineID(guest: 0)) == id)
            flights.discard(id)
            #expect(flights.holder(of: 0x200, on: MachineID(guest: 0)) == .none)
        }

        @Test func `taking an address away leaves it to whoever has got it since`() {
            var flights = FlightTable(machines: 1)
            let (old, new) = (flights.add(.receive, on: .host), flights.add(.receive, on: .host))
            flights.name(old, 0x100, on: .host)
            flights.name(new, 0x100, on: .host)
            flights.unname(old)
            #expect(flights.holder(of: 0x100, on: .host) == new)
        }

        @Test func `an address that a released flight had leads to nobody`() {
            var flights = FlightTable(machines: 1)
            let id = flights.add(.receive, on: .host)
            flights.name(id, 0x100, on: .host)
            flights.release(id)
            #expect(flights.holder(of: 0x100, on: .host) == .none)
        }

        @Test(arguments: [Flight.Flags.half, .unconfirmed, .unproven, .callUnknown, .givenBack])
        func `a flight that has ended is settled when nothing about its identity is open`(flag: Flight.Flags) {
            var flights = FlightTable(machines: 1)
            let id = flights.add(.receive, on: .host)
            #expect(flights.isSettled(id) == false)
            flights[id].flags.insert(flag)
            flights.end(id, .dropped)
            #expect(flights.isSettled(id) == false)
            flights[id].flags.remove(flag)
            #expect(flights.isSettled(id) == true)
            #expect(flights[id].outcome == .dropped)
        }

        @Test(arguments: [false, true])
        func `evidence follows the points, and is kept only where it is wanted`(keeps: Bool) {
            var flights = FlightTable(machines: 1, keepingEvidence: keeps)
            let (put, taken) = (flights.add(.receive, on: .host), flights.add(.receive, on: .host))
            flights.stamp(put, .vhostCopy, mark(10))
            flights.stamp(put, .vhostRun, at: 8, by: ThreadID(7))
            flights.stamp(put, .vhostWake, at: PointTimes.absent, by: ThreadID(7))
            flights.stamp(taken, .guestIngress, mark(20))
            flights.stamp(put, .guestIngress, mark(5))
            flights.merge(put, into: taken)
            let times = flights[taken].times
            #expect(
                times[.vhostCopy] == 10 && times[.vhostRun] == 8 && times[.guestIngress] == 20 && !times.has(.vhostWake)
            )
            let evidence = flights.evidence(of: taken)
            #expect((evidence != nil) == keeps)
            if let evidence {
                #expect(
                    evidence[.vhostCopy].kind == .copy && evidence[.vhostCopy].lane == 3
                        && evidence[.vhostCopy].thread == 42)
                #expect(
                    evidence[.vhostRun].kind == nil && evidence[.vhostRun].thread == 7 && evidence[.vhostRun].lane == -1
                )
                #expect(evidence[.vhostWake].thread == -1)
            }
            flights.clear(taken, .vhostCopy)
            #expect(flights[taken].times.has(.vhostCopy) == false)
            #expect(flights.evidence(of: taken)?[.vhostCopy].kind == nil)
        }

        @Test(arguments: 1...8 as ClosedRange<UInt64>)
        func `random lives leave what a dictionary has`(seed: UInt64) {
            var random = SplitMix64(seed: seed)
            var flights = FlightTable(machines: 2)
            var live: [FlightID] = []
            var holders: [[UInt64: FlightID]] = [[:], [:]]
            for _ in 0..<5000 {
                let machine = Int.random(in: 0..<2, using: &random)
                let skb = UInt64.random(in: 1...50, using: &random) << 8
                let chosen = live.randomElement(using: &random)
                switch (Int.random(in: 0..<4, using: &random), chosen) {
                case (0, _), (_, nil): live.append(flights.add(.receive, on: MachineID(row: machine)))
                case (1, let id?):
                    for side in 0..<2 { holders[side] = holders[side].filter { $0.value != id } }
                    flights.name(id, skb, on: MachineID(row: machine))
                    holders[machine][skb] = id
                case (2, let id?):
                    flights.unname(id)
                    for side in 0..<2 { holders[side] = holders[side].filter { $0.value != id } }
                case (_, let id?):
                    flights.discard(id)
                    live.removeAll { $0 == id }
                    for side in 0..<2 { holders[side] = holders[side].filter { $0.value != id } }
                }
                let holder = flights.holder(of: skb, on: MachineID(row: machine))
                #expect(holder == holders[machine][skb] ?? .none)
            }
            var found: [FlightID] = []
            flights.forEachLive { found.append($0) }
            #expect(found.count == live.count && live.allSatisfy { found.contains($0) })
        }
    }
#endif

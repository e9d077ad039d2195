// The table of skb addresses against Swift's own Dictionary. It is the module's own, so only debug builds reach it.

import Statistics

#if DEBUG
    @testable import PacketPath
    import Testing

    @Suite struct AddressTableTests {
        private func id(_ number: Int) -> FlightID { FlightID(index: Int32(number), generation: 1) }

        /// Where a key belongs in a table of 256 places.
        private func home(_ key: UInt64) -> Int { Int(truncatingIfNeeded: (key &* 0x9e37_79b9_7f4a_7c15) &>> 32) & 255 }

        @Test(arguments: 1...8 as ClosedRange<UInt64>)
        func `random work leaves what a dictionary has`(seed: UInt64) {
            var random = SplitMix64(seed: seed)
            var table = AddressTable()
            var model: [UInt64: FlightID] = [:]
            // Few addresses are used again and again, many fill the table until it has grown several times.
            let reach: UInt64 = seed % 2 == 0 ? 60 : 5000
            for step in 0..<20_000 {
                let key = 0xffff_8881_0000_0000 + UInt64.random(in: 0..<reach, using: &random) << 8
                if Int.random(in: 0..<10, using: &random) < (step < 10_000 ? 6 : 4) {
                    table.set(key, id(step))
                    model[key] = id(step)
                } else {
                    table.remove(key)
                    model[key] = nil
                }
                #expect(table[key] == model[key] ?? .none)
                #expect(table.count == model.count)
            }
            for number in 0..<reach {
                let key = 0xffff_8881_0000_0000 + number << 8
                #expect(table[key] == model[key] ?? .none)
            }
        }

        @Test(arguments: [0, 100, 254, 255])
        func `removing from a run of colliding keys loses none of the others, also around the table's end`(place: Int) {
            // Keys of one home and of the two after it, which share one run of places.
            let keys = (1...).lazy.map { UInt64($0) << 8 }.filter { (self.home($0) - place) & 255 < 3 }
            let run = Array(keys.prefix(24))
            for removed in run.indices {
                var table = AddressTable()
                for (number, key) in run.enumerated() { table.set(key, id(number)) }
                table.remove(run[removed])
                for (number, key) in run.enumerated() {
                    #expect(table[key] == (number == removed ? .none : id(number)))
                }
                table.set(run[removed], id(1000))
                #expect(table[run[removed]] == id(1000))
                #expect(table.count == run.count)
            }
        }

        @Test func `address 0 is no packet's`() {
            var table = AddressTable()
            table.set(0, id(1))
            table.remove(0)
            #expect(table[0] == .none)
            #expect(table.count == 0)
        }

        @Test func `removing what is not there changes nothing`() {
            var table = AddressTable()
            table.set(0x100, id(1))
            table.remove(0x200)
            #expect(table[0x100] == id(1))
            #expect(table.count == 1)
        }
    }

    @Suite struct FlightSlotTests {
        @Test func `a released flight's id names nobody, not even the next one in its place`() {
            var flights = FlightTable(machines: 1)
            let first = flights.add(.receive, on: .host)
            flights[first].skb = 7
            flights.release(first)
            let second = flights.add(.receive, on: .host)
            #expect(first.index == second.index)
            let (hasFirst, hasSecond) = (flights.contains(first), flights.contains(second))
            #expect(!hasFirst && hasSecond)
            #expect(flights[second].skb == 0)
            // Twice released is once released.
            flights.release(first)
            let stillHasSecond = flights.contains(second)
            #expect(stillHasSecond)
        }

        @Test func `growing keeps every flight and its id`() {
            var flights = FlightTable(machines: 1)
            let ids = (0..<5000).map { _ in flights.add(.receive, on: .host) }
            for (number, id) in ids.enumerated() { flights[id].length = Int32(number) }
            for id in ids[..<1000] { flights.release(id) }
            var live: [FlightID] = []
            flights.forEachLive { live.append($0) }
            #expect(live == Array(ids[1000...]))
            for (number, id) in ids.enumerated() where number >= 1000 { #expect(flights[id].length == Int32(number)) }
        }
    }

    @Suite struct FlightQueueTests {
        @Test func `a long queue gives out what came in, in order, however it is shortened`() {
            var random = SplitMix64(seed: 1)
            var queue = FlightQueue()
            var model: [FlightID] = []
            for number in 0..<30_000 {
                switch Int.random(in: 0..<100, using: &random) {
                case 0..<55:
                    queue.append(FlightID(index: Int32(number), generation: 1))
                    model.append(FlightID(index: Int32(number), generation: 1))
                case 55..<98:
                    #expect(queue.popFirst() == (model.isEmpty ? nil : model.removeFirst()))
                default:
                    guard let id = model.randomElement(using: &random) else { continue }
                    queue.removeLast(id)
                    model.remove(at: model.lastIndex(of: id)!)
                }
                #expect(queue.count == model.count)
                if let last = model.last { #expect(queue[queue.count - 1] == last) }
            }
        }
    }
#endif

// A socket's queue by itself: what is read is what was put on it first, though each end is seen only some time before
// or after.

#if DEBUG
    import ClockSync
    @testable import PacketPath
    import Statistics
    import Testing

    @Suite struct SocketQueueTests {
        private func id(_ number: Int) -> FlightID { FlightID(index: Int32(number), generation: 1) }

        private func arrival(_ number: Int, begin: Nanoseconds, ready: Nanoseconds, capacity: Int32 = 64)
            -> SocketQueue.Arrival
        {
            SocketQueue.Arrival(id: id(number), begin: begin, ready: ready, lane: LaneID(row: 1), capacity: capacity)
        }

        private func reading(earliest: Nanoseconds, time: Nanoseconds, received: Int32 = 64) -> SocketQueue.Reading {
            SocketQueue.Reading(
                time: time, earliest: earliest, thread: ThreadIndex(row: 7), lane: LaneID(row: 0),
                received: received)
        }

        /// A queue that is known to have been empty at time 0.
        private func synced() -> SocketQueue {
            var queue = SocketQueue()
            _ = queue.empty(since: 0)
            return queue
        }

        private func joined(_ taken: SocketQueue.Taken) -> FlightID? {
            guard case .joined(let arrival, true) = taken else { return nil }
            return arrival.id
        }

        @Test func `what was collected before the first empty instant is joined from there backwards`() {
            var queue = SocketQueue()
            // A packet was on it before the recording.
            for number in 1...2 {
                _ = queue.ready(arrival(number, begin: Nanoseconds(number * 10), ready: Nanoseconds(number * 10 + 1)))
            }
            for time in [15, 25, 35] as [Nanoseconds] {
                _ = queue.read(reading(earliest: time - 2, time: time), mayBeEarly: false)
            }
            guard case .found(let pairs, let rest, true) = queue.empty(since: 40) else {
                Issue.record("the order was not found")
                return
            }
            #expect(pairs.map { $0.0.id } == [id(1), id(2)] && pairs.map { $0.1.time } == [25, 35])
            #expect(rest.isEmpty)
        }

        @Test func `a reading that was traced before its packet waits for it`() {
            var queue = synced()
            guard case .waits = queue.read(reading(earliest: 11, time: 13), mayBeEarly: true),
                case .taken(let early) = queue.ready(arrival(1, begin: 10, ready: 14))
            else {
                Issue.record("it did not wait")
                return
            }
            #expect(early.time == 13)
            // And the next one is not shifted.
            _ = queue.ready(arrival(2, begin: 20, ready: 21))
            #expect(joined(queue.read(reading(earliest: 22, time: 23), mayBeEarly: false)) == id(2))
        }

        @Test func `a reading of nothing that was put contradicts`() {
            var queue = synced()
            guard case .contradiction = queue.read(reading(earliest: 1, time: 2), mayBeEarly: false) else {
                Issue.record("it was believed")
                return
            }
        }

        @Test func `more bytes than the packet holds contradict`() {
            var queue = synced()
            _ = queue.ready(arrival(1, begin: 10, ready: 11, capacity: 20))
            guard case .contradiction = queue.read(reading(earliest: 12, time: 13, received: 21), mayBeEarly: false)
            else {
                Issue.record("it was believed")
                return
            }
        }

        @Test func `an empty instant contradicts what should have been read by then`() {
            var queue = synced()
            _ = queue.ready(arrival(1, begin: 10, ready: 11))
            guard case .contradicted(let stale) = queue.empty(since: 20) else {
                Issue.record("it was believed")
                return
            }
            #expect(stale.map(\.id) == [id(1)])
        }

        @Test func `packets that two CPUs put at the same time are joined without certainty`() {
            var queue = synced()
            _ = queue.ready(arrival(1, begin: 10, ready: 20))
            var second = arrival(2, begin: 15, ready: 21)
            second.lane = LaneID(row: 2)
            _ = queue.ready(second)
            #expect(joined(queue.read(reading(earliest: 22, time: 23), mayBeEarly: false)) == nil)
        }

        // MARK: Against a plain queue

        /// A CPU that receives and a reader on another one that polls, each seen only at its events.
        private struct Model {
            var queue = SocketQueue()
            var random: SplitMix64
            /// Packets on the socket.
            var truth: [Int] = []
            /// What the order says of a packet's reading: joined by whom in truth, and whether that is certain.
            var unconfirmed: [(arrival: Int, read: Int)] = []
            var believed: [(arrival: Int, read: Int)] = []
            var doubted = 0
            private var readers: [Nanoseconds: Int] = [:]
            private var packets = 0

            init(seed: UInt64) { random = SplitMix64(seed: seed) }

            private enum Stack { case idle, received(Nanoseconds), put(Nanoseconds) }
            private enum Reader { case idle, calling, took(Int), foundNothing }

            mutating func run(ticks: Int, missing: Int = 0) {
                var (stack, reader) = (Stack.idle, Reader.idle)
                var lastReturn: Nanoseconds = 0
                var validFrom: Nanoseconds = 0
                for tick in 1...ticks {
                    let now = Nanoseconds(tick * 2)
                    if Bool.random(using: &random) {
                        switch stack {
                        case .idle: if Int.random(in: 0..<3, using: &random) == 0 { stack = .received(now) }
                        case .received(let begin):
                            packets += 1
                            truth.append(packets)
                            stack = .put(begin)
                        case .put(let begin):
                            // In a hole the stack's event is missing, and its packet is read all the same.
                            if missing == 0 || Int.random(in: 0..<missing, using: &random) > 0 {
                                ready(begin, now)
                            } else {
                                contradict()
                                _ = queue.removeAllArrivals()
                                validFrom = now
                            }
                            stack = .idle
                        }
                    }
                    guard Bool.random(using: &random) else { continue }
                    switch reader {
                    case .idle: reader = .calling
                    case .calling: reader = truth.isEmpty ? .foundNothing : .took(truth.removeFirst())
                    case .took(let packet):
                        var isBringing = false
                        if case .idle = stack {} else { isBringing = true }
                        read(packet, lastReturn, now + 1, isBringing)
                        (reader, lastReturn) = (.idle, now + 1)
                    case .foundNothing:
                        var isBringing = false
                        if case .idle = stack {} else { isBringing = true }
                        // A call that spans a hole proves nothing.
                        if lastReturn >= validFrom, queue.isSynced || !isBringing { foundEmpty(since: lastReturn) }
                        (reader, lastReturn) = (.idle, now + 1)
                    }
                }
            }

            private mutating func ready(_ begin: Nanoseconds, _ now: Nanoseconds) {
                let id = FlightID(index: Int32(packets), generation: 1)
                let arrival = SocketQueue.Arrival(id: id, begin: begin, ready: now, lane: LaneID(row: 1), capacity: 64)
                switch queue.ready(arrival) {
                case .waits: break
                case .taken(let reading): unconfirmed.append((packets, readers[reading.time] ?? 0))
                case .contradiction:
                    contradict()
                    _ = queue.ready(arrival)
                }
            }

            private mutating func read(_ packet: Int, _ earliest: Nanoseconds, _ now: Nanoseconds, _ mayBeEarly: Bool) {
                readers[now] = packet
                let reading = SocketQueue.Reading(
                    time: now, earliest: earliest, thread: ThreadIndex(row: 7), lane: LaneID(row: 0), received: 64)
                switch queue.read(reading, mayBeEarly: mayBeEarly) {
                case .joined(let arrival, true): unconfirmed.append((Int(arrival.id.index), packet))
                case .joined, .waits: break
                case .contradiction:
                    contradict()
                    queue.lose(at: reading)
                    return
                }
            }

            private mutating func contradict() {
                doubted += unconfirmed.count
                unconfirmed.removeAll()
                queue.lose()
            }

            private mutating func foundEmpty(since: Nanoseconds) {
                switch queue.empty(since: since) {
                case .unknown: break
                case .agrees:
                    believed += unconfirmed
                    unconfirmed.removeAll()
                case .found(let pairs, _, let isCertain):
                    if isCertain { believed += pairs.map { (Int($0.0.id.index), readers[$0.1.time] ?? 0) } }
                case .contradicted:
                    doubted += unconfirmed.count
                    unconfirmed.removeAll()
                }
            }
        }

        @Test(arguments: 1...20 as ClosedRange<UInt64>)
        func `of a whole recording every packet is joined with its own reading`(seed: UInt64) {
            var model = Model(seed: seed)
            model.run(ticks: 20_000)
            #expect(model.believed.allSatisfy { $0.arrival == $0.read })
            #expect(model.believed.count > 1000 && model.doubted == 0)
        }

        @Test(arguments: 21...40 as ClosedRange<UInt64>)
        func `with holes no reading is another packet's`(seed: UInt64) {
            var model = Model(seed: seed)
            model.run(ticks: 20_000, missing: 50)
            let wrong = model.believed.count { $0.arrival != $0.read }
            #expect(wrong == 0, "\(wrong) of \(model.believed.count)")
            #expect(model.believed.count > 100)
        }
    }
#endif

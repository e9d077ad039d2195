// The order of a virtqueue by itself: what proves it, what contradicts it, and what it says then.

#if DEBUG
    import ClockSync
    @testable import PacketPath
    import Statistics
    import Testing

    @Suite struct VirtqueueOrderTests {
        /// A ring whose order has been proven.
        private func synced() -> VirtqueueModel {
            let ring = VirtqueueModel()
            ring.proveEmpty()
            return ring
        }

        @Test func `before the first proof nothing is joined, and it joins from the end backwards`() {
            let ring = VirtqueueModel()
            // Put before the host's recording.
            let before = ring.put(isSeen: false)
            for _ in 0..<3 { ring.put() }
            for _ in 0..<4 { ring.take() }
            #expect(ring.believed.isEmpty)
            ring.proveEmpty()
            #expect(ring.believed.count == 3 && ring.isRight)
            #expect(ring.alone == [before: .traceEdge])
            #expect(ring.order.isSynced)
        }

        @Test
        func `a packet that the guest took before its recording began ends at the edge, and does not shift the others`()
        {
            let ring = VirtqueueModel()
            let before = ring.put()
            ring.take(isSeen: false)
            ring.takerStart = ring.clock
            ring.put()
            ring.take()
            ring.proveEmpty()
            #expect(ring.fates[before] == .ended(.traceEdge))
            #expect(ring.believed.count == 1 && ring.isRight)
        }

        @Test func `a packet that was put within both recordings and never taken makes the first proof worth nothing`()
        {
            let ring = VirtqueueModel()
            ring.takerStart = -1
            ring.put()
            ring.take(isSeen: false)
            ring.put()
            ring.take()
            ring.proveEmpty()
            #expect(ring.believed.isEmpty)
            #expect(ring.counted == 2)
        }

        @Test func `what was joined waits for the next proof`() {
            let ring = synced()
            ring.put()
            ring.take()
            #expect(ring.believed.isEmpty)
            ring.proveEmpty()
            #expect(ring.believed.count == 1 && ring.isRight)
        }

        @Test func `a put that was never taken makes all since the last proof ambiguous`() {
            let ring = synced()
            ring.put()
            ring.take()
            ring.proveEmpty()
            for _ in 0..<4 { ring.put() }
            // One was taken unseen: each of the others gets the one before it.
            ring.take(isSeen: false)
            for _ in 0..<3 { ring.take() }
            ring.proveEmpty()
            #expect(ring.believed.count == 1 && ring.isRight)
            #expect(ring.doubted == [2, 3, 4])
            #expect(ring.fates[5] == .ended(.ambiguous))
            #expect(ring.counted == 5)
        }

        @Test func `a length that does not fit contradicts at once`() {
            let ring = synced()
            for length in [60, 60, 1514] as [Int32] { ring.put(length) }
            ring.take(isSeen: false)
            ring.take()
            // Its put is taken for the second one, which is 60 long.
            ring.take()
            #expect(!ring.order.isSynced)
            #expect(ring.doubted == [1])
            ring.proveEmpty()
            // The ring is empty, so the last ones belong together all the same.
            #expect(ring.believed.count == 1 && ring.isRight && ring.counted == 3)
        }

        @Test func `a frame without a length fits every place`() {
            let ring = synced()
            ring.put(0)
            ring.put(60)
            ring.take(length: 98)
            ring.take()
            ring.proveEmpty()
            #expect(ring.believed.count == 2 && ring.isRight)
        }

        @Test func `nothing can be taken that was not put, unless the side that puts is not recorded`() {
            let ring = synced()
            let unseen = ring.put(isSeen: false)
            ring.take(putsAreRecorded: false)
            #expect(ring.alone == [unseen: .traceEdge] && ring.order.isSynced)
            ring.put(isSeen: false)
            ring.take()
            #expect(!ring.order.isSynced)
        }

        @Test func `a ring that never runs empty is believed when too many wait`() {
            let ring = synced()
            for _ in 0..<VirtqueueOrder.mostWaiting + 10 {
                ring.put()
                ring.take()
            }
            #expect(ring.believed.count == 10 && ring.isRight)
        }

        @Test func `waiting sides that nothing ever proves do not grow without end`() {
            let ring = VirtqueueModel()
            for _ in 0..<VirtqueueOrder.mostWaiting + 5 { ring.put() }
            #expect(ring.order.puts.count == VirtqueueOrder.mostWaiting)
            for _ in 0..<VirtqueueOrder.mostWaiting + 5 { ring.take() }
            #expect(ring.order.takens.count == VirtqueueOrder.mostWaiting)
            #expect(ring.believed.isEmpty)
        }

        // MARK: Holes

        @Test func `a hole on the host ends what was put, and counts its other halves once`() {
            let ring = synced()
            for _ in 0..<3 { ring.put() }
            ring.lose(.lostEvents)
            for _ in 0..<3 { ring.take() }
            ring.proveEmpty()
            #expect(ring.counted == 3 && ring.forgotten == 3)
            #expect((1...3).allSatisfy { ring.fates[$0] == .ended(.lostEvents) })
        }

        @Test
        func
            `packets put in the hole are counted where they are taken, unless every packet is counted where it is put`()
        {
            for countsTakens in [true, false] {
                let ring = synced()
                ring.lose(.lostEvents, countsTakens: countsTakens)
                let unseen = ring.put(isSeen: false)
                ring.put()
                ring.take()
                ring.take()
                ring.proveEmpty()
                #expect(ring.alone == (countsTakens ? [unseen: .lostEvents] : [:]))
                #expect(ring.believed.count == 1 && ring.isRight)
            }
        }

        @Test func `what was joined before a hole is confirmed, and doubted where the order was wrong`() {
            for (outcome, believed) in [(Outcome.lostEvents, 2), (.ambiguous, 0)] {
                let ring = synced()
                for _ in 0..<2 {
                    ring.put()
                    ring.take()
                }
                ring.lose(outcome)
                #expect(ring.believed.count == believed)
                #expect(!ring.order.isSynced)
            }
        }

        @Test func `frames that may have been put unseen leave a longer taken side unproven`() {
            let ring = VirtqueueModel()
            ring.put(isSeen: false)
            ring.put()
            ring.take()
            ring.take()
            ring.proveEmpty(mayMissPuts: true)
            #expect(ring.believed.isEmpty)
        }

        @Test func `what nothing ever proved ends ambiguous, once`() {
            let ring = VirtqueueModel()
            for _ in 0..<4 { ring.put() }
            for _ in 0..<3 { ring.take() }
            ring.finish()
            #expect(ring.counted == 4 && ring.forgotten == 3)
            #expect(ring.fates.values.allSatisfy { $0 == .ended(.ambiguous) })
        }

        // MARK: Filters

        @Test func `a packet that was sorted out is told by its length`() {
            let ring = synced()
            ring.isFiltered = true
            for length in [60, 98, 1514] as [Int32] { ring.put(length) }
            ring.take()
            ring.sortOut()
            ring.take()
            ring.proveEmpty()
            #expect(ring.fates[2] == .ended(.notRecorded))
            #expect(ring.believed.count == 2 && ring.isRight)
        }

        @Test func `a packet that could as well be the one that was taken makes both ambiguous`() {
            let ring = synced()
            ring.isFiltered = true
            ring.put()
            ring.put()
            ring.sortOut()
            // The second one, taken for the first.
            ring.take()
            ring.proveEmpty()
            #expect(ring.believed.isEmpty)
        }

        // MARK: Against a plain queue

        /// Anything that a recording may see or miss, at random.
        private func run(seed: UInt64, holes: Bool, lengths: [Int32], steps: Int = 4000) -> VirtqueueModel {
            var random = SplitMix64(seed: seed)
            let ring = VirtqueueModel()
            // Packets that are on the ring when the recordings begin.
            for _ in 0..<Int.random(in: 0..<6, using: &random) {
                ring.put(lengths.randomElement(using: &random) ?? 60, isSeen: false)
            }
            var hole = 0
            for _ in 0..<steps {
                if hole > 0 {
                    hole -= 1
                    if hole == 0 { ring.lose(.lostEvents) }
                } else if holes, Int.random(in: 0..<200, using: &random) == 0 {
                    hole = Int.random(in: 1..<20, using: &random)
                    ring.lose(.lostEvents)
                }
                switch Int.random(in: 0..<10, using: &random) {
                case 0..<5 where ring.ring.count < 40:
                    ring.put(lengths.randomElement(using: &random) ?? 60, isSeen: hole == 0)
                case 0..<9: if !ring.ring.isEmpty { ring.take(isSeen: hole == 0) }
                default: if ring.ring.isEmpty, hole == 0 { ring.proveEmpty() }
                }
            }
            while !ring.ring.isEmpty { ring.take(isSeen: hole == 0) }
            if hole == 0 { ring.proveEmpty() }
            ring.finish()
            return ring
        }

        @Test(arguments: 1...20 as ClosedRange<UInt64>)
        func `of a whole recording every packet is joined with itself`(seed: UInt64) {
            let ring = run(seed: seed, holes: false, lengths: [60, 98, 1514])
            #expect(ring.isRight)
            #expect(ring.believed.count == ring.fates.count && ring.doubted.isEmpty)
            #expect(ring.alone.values.allSatisfy { $0 == .traceEdge } && ring.alone.count < 6)
        }

        @Test func `with holes packets are joined all the same`() {
            let rings = (21...40 as ClosedRange<UInt64>).map { run(seed: $0, holes: true, lengths: [60, 98, 1514]) }
            let (believed, packets) = rings.reduce((0, 0)) { ($0.0 + $1.believed.count, $0.1 + $1.packets) }
            // The ring is seldom empty, and a hole is never far.
            #expect(believed * 20 > packets, "\(believed) of \(packets)")
        }

        @Test(arguments: 21...60 as ClosedRange<UInt64>)
        func `with holes no packet gets another one's other half`(seed: UInt64) {
            // Of one length only the order can tell.
            let ring = run(seed: seed, holes: true, lengths: seed % 2 == 0 ? [60] : [60, 98, 1514])
            #expect(ring.isRight)
            // Each is counted once at the most: where it was put, or where it was taken.
            let (counted, packets) = (ring.counted, ring.packets)
            #expect(counted <= packets)
            let waiting = ring.fates.values.count { $0 == .waiting }
            #expect(waiting == 0)
        }
    }
#endif

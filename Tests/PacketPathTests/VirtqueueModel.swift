// A virtqueue as it really is, a plain queue, beside the order that has to find out about it.

#if DEBUG
    import ClockSync
    @testable import PacketPath

    /// Puts packets on a ring and takes them from it, tells the order what a recording would show of that, and carries
    /// its verdicts out.
    final class VirtqueueModel {
        /// What became of a packet as far as the order knows.
        enum Fate: Equatable {
            case waiting
            /// Joined with the taken half of this packet.
            case joined(Int, isConfirmed: Bool)
            case ended(Outcome)
        }

        var order = VirtqueueOrder()
        var flights = FlightTable(machines: 2)
        /// Packets on the ring, by number.
        private(set) var ring: [Int] = []
        /// Of packets whose put was seen.
        private(set) var fates: [Int: Fate] = [:]
        /// Packets whose taken half counts as a packet, and how it ended.
        private(set) var alone: [Int: Outcome] = [:]
        private(set) var doubted: Set<Int> = []
        /// Halves that are counted elsewhere.
        private(set) var forgotten = 0
        private(set) var lengths: [Int: Int32] = [:]
        private var puts: [Int: FlightID] = [:]
        private var numbers: [Int32: (generation: UInt32, number: Int)] = [:]
        private(set) var clock: Nanoseconds = 0
        var isFiltered = false
        var takerStart: Nanoseconds = 0
        /// So many were put, seen or not.
        private(set) var packets = 0

        private func number(_ id: FlightID) -> Int {
            guard let packet = numbers[id.index], packet.generation == id.generation else {
                fatalError("nobody's flight")
            }
            return packet.number
        }

        private func add(_ number: Int, _ length: Int32) -> FlightID {
            let id = flights.add(.receive, on: .host)
            numbers[id.index] = (id.generation, number)
            flights[id].length = length
            return id
        }

        /// - Returns: the packet's number.
        @discardableResult
        func put(_ length: Int32 = 100, isSeen: Bool = true) -> Int {
            clock += 1
            packets += 1
            ring.append(packets)
            lengths[packets] = length
            guard isSeen else { return packets }
            let id = add(packets, length)
            flights[id].times[.vhostCopy] = clock
            puts[packets] = id
            fates[packets] = .waiting
            order.put(id, isJoined: true, flights)
            carryOut()
            return packets
        }

        /// Somebody between the two sides keeps the oldest one back, and no event says so.
        func sortOut() { ring.removeFirst() }

        func take(isSeen: Bool = true, putsAreRecorded: Bool = true, length: Int32? = nil) {
            clock += 1
            let number = ring.removeFirst()
            guard isSeen else { return }
            let length = length ?? lengths[number] ?? 0
            let taken = order.take(length: length, isFiltered: isFiltered, putsAreRecorded: putsAreRecorded, flights)
            carryOut()
            switch taken {
            case .put(let put): fates[self.number(put)] = .joined(number, isConfirmed: false)
            case .beyond(let isCounted): if isCounted { forgotten += 1 } else { alone[number] = .traceEdge }
            case .unknown:
                let half = add(number, length)
                order.wait(half, isJoined: true, flights)
                carryOut()
            }
        }

        /// A poll, or the worker, has found the ring empty.
        func proveEmpty(mayMissPuts: Bool = false) {
            precondition(ring.isEmpty || isFiltered)
            order.proveEmpty(isFiltered: isFiltered, mayMissPuts: mayMissPuts, takerStart: takerStart, flights)
            carryOut()
        }

        func lose(_ outcome: Outcome, countsTakens: Bool = true) {
            order.lose(outcome, countsTakens: countsTakens, flights)
            carryOut()
        }

        func finish(unproven: Outcome = .ambiguous) {
            order.finish(isJoined: true, unproven: unproven, flights)
            carryOut()
        }

        private func carryOut() {
            while let verdict = order.nextVerdict() {
                switch verdict {
                case .ended(let id, let outcome): end(id, .ended(outcome))
                case .joined(let put, let taken):
                    fates[number(put)] = .joined(number(taken), isConfirmed: true)
                    flights.release(put)
                    flights.release(taken)
                case .confirmed(let id):
                    guard flights.contains(id) else { continue }
                    if case .joined(let taken, _) = fates[number(id)] {
                        end(id, .joined(taken, isConfirmed: true))
                    } else {
                        flights.release(id)
                    }
                case .doubted(let id): doubted.insert(number(id))
                case .sortedOut(let id): fates[number(id)] = .ended(.notRecorded)
                case .alone(let id, let outcome):
                    alone[number(id)] = outcome
                    flights.release(id)
                case .forgotten(let id):
                    forgotten += 1
                    flights.release(id)
                case .forgiven: break
                }
            }
        }

        private func end(_ id: FlightID, _ fate: Fate) {
            fates[number(id)] = fate
            flights.release(id)
        }

        /// Packets that are handed on as joined for certain, with the packet whose other half they got.
        var believed: [(put: Int, taken: Int)] {
            fates.compactMap { number, fate in
                guard case .joined(let taken, true) = fate, !doubted.contains(number) else { return nil }
                return (number, taken)
            }
        }

        var isRight: Bool { believed.allSatisfy { $0.put == $0.taken } }
        /// Packets that are counted: where they were put, or by themselves.
        var counted: Int { fates.count + alone.count }
    }
#endif

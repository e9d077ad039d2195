// From stamps to time shifts: the signs, and what is done where evidence is poor.

import ClockSync

#if DEBUG
    @testable import Recording
    import Sessions
    import Testing

    @Suite struct ClockEvidenceTests {
        private func scan(_ stamps: [(Marker.Kind, UInt32, RawTime)]) -> TraceScan {
            var scan = TraceScan()
            for (kind, number, time) in stamps { scan.markers[kind, default: [:]][number] = time }
            return scan
        }

        private func pair(
            host: TraceScan, guest: TraceScan, hostClock: CycleConversion? = nil, guestClock: CycleConversion? = nil
        )
            -> [Exchange]
        {
            Exchange.pair(host: host, hostClock: hostClock, guest: guest, guestClock: guestClock, numbers: 0..<8)
        }

        // MARK: Exchanges

        @Test(arguments: [0, 1_000_000, -1_000_000, 1 << 62, -(1 << 62)] as [Int64])
        func `a guest that is ahead has a positive offset, and ways of equal length give it exactly`(ahead: Int64)
            throws
        {
            let begin: Int64 = 1 << 40
            func guest(_ time: Int64) -> RawTime { RawTime(bitPattern: time &+ ahead) }
            let exchanges = pair(
                host: scan([(.sent, 5, RawTime(begin)), (.received, 5, RawTime(begin + 230))]),
                guest: scan([(.received, 5, guest(begin + 100)), (.sent, 5, guest(begin + 130))]))
            let exchange = try #require(exchanges.first)
            #expect(exchange.offset == ahead)
            #expect(exchange.roundTrip == 200)
        }

        @Test func `ways of unequal length are wrong by half the round trip at the most`() throws {
            let exchanges = pair(
                host: scan([(.sent, 0, 1000), (.received, 0, 1310)]),
                guest: scan([(.received, 0, 1300), (.sent, 0, 1310)]))
            let exchange = try #require(exchanges.first)
            #expect(exchange.roundTrip == 300)
            #expect(exchange.offset == 150)
        }

        @Test func `an exchange that lost a stamp is none`() {
            let host = scan([(.sent, 0, 1), (.received, 0, 4), (.sent, 1, 11), (.received, 1, 14), (.sent, 2, 21)])
            let guest = scan([(.received, 0, 2), (.sent, 0, 3), (.received, 1, 12), (.received, 2, 22), (.sent, 2, 23)])
            #expect(pair(host: host, guest: guest).map(\.hostSent) == [1])
        }

        @Test func `cycles are turned into nanoseconds on each side by itself`() throws {
            // 2 and 4 ns a cycle.
            let exchanges = pair(
                host: scan([(.sent, 0, 500), (.received, 0, 600)]),
                guest: scan([(.received, 0, 260), (.sent, 0, 265)]),
                hostClock: CycleConversion(multiplier: 2, shift: 0, offset: 0),
                guestClock: CycleConversion(multiplier: 4, shift: 0, offset: 0))
            let exchange = try #require(exchanges.first)
            #expect(exchange.roundTrip == 180)
            // 1040 - 1000 = 40 there, 1060 - 1200 = -140 back.
            #expect(exchange.offset == -50)
        }

        // MARK: Time shifts by exchanges

        private func exchange(at time: UInt64, offset: Int64, roundTrip: Int64) -> Exchange {
            Exchange(
                hostSent: time, guestReceived: time &+ UInt64(bitPattern: offset), guestSent: 0, hostReceived: 0,
                roundTrip: roundTrip,
                offset: offset)
        }

        @Test func `the shortest round trips of both halves make the shift, and it leads to the host's time`() throws {
            let exchanges = [
                exchange(at: 100, offset: 1000, roundTrip: 50), exchange(at: 200, offset: 1010, roundTrip: 20),
                exchange(at: 300, offset: 1, roundTrip: 90),
                exchange(at: 9000, offset: 7, roundTrip: 400), exchange(at: 9100, offset: 1030, roundTrip: 10),
            ]
            let shifts = TimeShift.exchanges(exchanges, cpus: 3)
            #expect(shifts.count == 3)
            let shift = try #require(shifts.first)
            #expect(shift.interpolates)
            #expect(shift.samples.map(\.time) == [1210, 10130])
            // host = guest + offset
            #expect(shift.samples.map { $0.time &+ $0.offset } == [200, 9100])
            #expect(shift.samples.allSatisfy { $0.scaling == 1 })
        }

        @Test func `exchanges of the beginning alone are one shift for all times`() throws {
            let shift = try #require(TimeShift.exchanges([exchange(at: 100, offset: -5, roundTrip: 50)], cpus: 1).first)
            #expect(!shift.interpolates)
            #expect(shift.samples == [TimeShiftSample(time: 95, offset: 5, scaling: 1)])
            #expect(TimeShift.exchanges([], cpus: 4).isEmpty)
        }

        // MARK: Time shifts by KVM

        private func reading(
            _ moment: KVMReading.Moment, vcpu: Int = 0, offset: Int64, ratio: UInt64? = nil, bits: UInt32? = nil
        )
            -> KVMReading
        {
            KVMReading(moment: moment, vcpu: vcpu, thread: 1, offset: offset, ratio: ratio, fractionBits: bits)
        }

        @Test func `KVM adds its offset, so that the way back takes it away`() throws {
            let shifts = TimeShift.kvm(
                [reading(.begin, vcpu: 1, offset: 77), reading(.begin, offset: -500), reading(.end, offset: -500)],
                endTime: 9)
            #expect(shifts.count == 2)
            #expect(shifts[0].samples == [TimeShiftSample(time: 0, offset: 500, scaling: 1)])
            #expect(shifts[1].samples == [TimeShiftSample(time: 0, offset: UInt64(bitPattern: -77), scaling: 1)])
            #expect(shifts.allSatisfy { !$0.interpolates && $0.fractionBits == 0 })
        }

        @Test func `an offset that was changed holds from the last reading on`() {
            let shifts = TimeShift.kvm([reading(.begin, offset: 1), reading(.end, offset: 2)], endTime: 9)
            #expect(shifts.map { $0.samples.map(\.time) } == [[0, 9]])
            #expect(shifts[0].samples.map { Int64(bitPattern: $0.offset) } == [-1, -2])
        }

        @Test func `a ratio of one is no scaling, another one is`() {
            #expect(
                TimeShift.kvm([reading(.begin, offset: 1, ratio: 1 << 48, bits: 48)], endTime: 0).map(\.fractionBits)
                    == [0])
            let scaled = TimeShift.kvm([reading(.begin, offset: 1, ratio: 3 << 47, bits: 48)], endTime: 0)
            #expect(scaled.map(\.fractionBits) == [48])
            #expect(scaled[0].samples[0].scaling == 3 << 47)
            for (ratio, bits) in [(0, 48), (5, 64)] as [(UInt64, UInt32)] {
                #expect(
                    TimeShift.kvm([reading(.begin, offset: 1, ratio: ratio, bits: bits)], endTime: 0).map(
                        \.fractionBits) == [0])
            }
        }

        @Test func `where KVM does not tell there is no shift`() { #expect(TimeShift.kvm([], endTime: 1).isEmpty) }

        // MARK: The clock

        @Test func `cycles are chosen only where every machine's are known`() {
            let all = ["local", "mono_raw", "x86-tsc"]
            let known = [reading(.begin, offset: 1)]
            func best(
                _ guests: [[String]], _ readings: [[KVMReading]], host: [String] = all, hasConversion: Bool = true
            ) -> String {
                ClockChoice.best(host: host, guests: guests, hasConversion: hasConversion, kvmReadings: readings)
            }
            #expect(best([], []) == "x86-tsc")
            #expect(best([all], [known]) == "x86-tsc")
            #expect(best([all, all], [known, []]) == "mono_raw")
            #expect(best([["local"]], [known]) == "mono_raw")
            #expect(best([], [], host: ["local", "mono_raw"]) == "mono_raw")
            #expect(best([], [], hasConversion: false) == "mono_raw")
        }
    }
#endif

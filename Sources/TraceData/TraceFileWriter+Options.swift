// Options in the form and order in which trace-cmd writes them; TraceOptions reads them.

internal import ClockSync

extension TraceFileWriter {
    struct Option {
        var id: UInt16
        var data: [UInt8] = []

        init(id: UInt16) { self.id = id }

        init(_ id: UInt16, _ put: (inout [UInt8]) -> Void) {
            self.id = id
            put(&data)
        }

        init(_ id: UInt16, terminated text: String) { self.init(id) { $0.append(terminated: text) } }
    }

    /// All options but those that say where a section is.
    func options(of description: TraceDescription) -> [Option] {
        typealias ID = TraceOptions.ID
        let clockText = description.clockText.isEmpty ? "[\(description.clock)]\n" : description.clockText
        var options = [Option(ID.traceClock, terminated: clockText)]
        if !description.uname.isEmpty { options.append(Option(ID.uname, terminated: description.uname)) }
        options.append(Option(ID.traceID) { $0.append(number: description.traceID) })
        for text in description.statistics { options.append(Option(ID.cpuStat, terminated: text)) }
        for guest in description.guests { options.append(Self.guest(guest)) }
        // Behind TRACECLOCK and before TIME_SHIFT: trace-cmd takes the clock for one of ns only when told so after its
        // name.
        if let conversion = description.tscToNanoseconds {
            options.append(Self.tscToNanoseconds(conversion))
        }
        if let peer = description.peerTraceID, !description.timeShifts.isEmpty {
            options.append(Self.timeShift(peer: peer, description.timeShifts))
        }
        options.append(Option(ID.cpuCount) { $0.append(number: UInt32(description.cpuCount)) })
        options.append(buffer(clock: description.bufferClock))
        return options
    }

    static func tscToNanoseconds(_ conversion: CycleConversion) -> Option {
        Option(TraceOptions.ID.tscToNanoseconds) {
            $0.append(number: conversion.multiplier)
            $0.append(number: conversion.shift)
            $0.append(number: conversion.offset)
        }
    }

    /// Where the BUFFER section is, and each CPU's data in it.
    private func buffer(clock: String) -> Option {
        Option(TraceOptions.ID.buffer) { data in
            data.append(number: UInt64(Self.headerSize))
            data.append(terminated: "")  // the top-level buffer
            data.append(terminated: clock)
            data.append(number: UInt32(pageSize))
            data.append(number: UInt32(regions.count))
            for region in regions.sorted(by: { $0.cpu < $1.cpu }) {
                data.append(number: UInt32(region.cpu))
                data.append(number: UInt64(region.start))
                data.append(number: UInt64(region.count))
            }
        }
    }

    /// trace-cmd drops a guest whose CPUs are not 0 up to their count, so those without a thread are written too, with
    /// none: -1.
    private static func guest(_ guest: GuestOption) -> Option {
        Option(TraceOptions.ID.guest) { data in
            data.append(terminated: guest.name)
            data.append(number: guest.traceID)
            let count = (guest.threadOfCPU.keys.filter { $0 >= 0 && $0 < TraceOptions.mostCPUs }.max() ?? -1) + 1
            data.append(number: UInt32(count))
            for cpu in 0..<count {
                data.append(number: UInt32(cpu))
                data.append(number: guest.threadOfCPU[cpu] ?? -1)
            }
        }
    }

    /// Peer id, flags, CPUs; each CPU's times, offsets and scalings; behind all CPUs a word of fraction bits for every
    /// sample, which trace-cmd.dat.v7(5) omits (`tracecmd_write_guest_time_shift`).
    static func timeShift(peer: UInt64, _ shifts: [TimeShift]) -> Option {
        Option(TraceOptions.ID.timeShift) { data in
            data.append(number: peer)
            data.append(number: UInt32(shifts.contains { $0.interpolates } ? 1 : 0))
            data.append(number: UInt32(shifts.count))
            for shift in shifts {
                data.append(number: UInt32(shift.samples.count))
                for sample in shift.samples { data.append(number: sample.time) }
                for sample in shift.samples { data.append(number: sample.offset) }
                for sample in shift.samples { data.append(number: sample.scaling) }
            }
            for shift in shifts {
                for _ in shift.samples { data.append(number: UInt64(shift.fractionBits)) }
            }
        }
    }
}

// What the files say of their trace clocks: which of them measure time, and how the host's cycles become ns.

package import ClockSync
package import TraceData

extension TraceFile {
    /// The clock its events are stamped with; nil where the file does not say.
    ///
    /// trace-cmd (3.1.6) calls an instance's clock in its BUFFER option what `-C` said of the top-level buffer, and
    /// `local` where nothing did; TRACECLOCK then is that of one of the instances.
    package var traceClock: String? {
        guard let stated = options.clock else { return bufferClocks.first }
        return bufferClocks.first { $0 != "local" } ?? stated
    }

    /// The instances that hold data.
    private var holding: [TraceBuffer] { buffers.filter { $0.cpus.contains { !$0.range.isEmpty } } }

    /// What their BUFFER options call their clocks.
    private var bufferClocks: [String] { (holding.isEmpty ? Array(buffers.prefix(1)) : holding).compactMap(\.clock) }

    /// Why the clock that it states can't be that of all its events.
    ///
    /// trace-cmd (3.1.6) records each instance with a clock of its own where it is told to, and states one for all.
    /// What tells them apart is what each ring buffer said of its own clock at the end.
    fileprivate var clockContradiction: ClockFlaw? {
        let stated = holding.filter { $0.clock != nil }
        if let first = stated.first, let other = stated.first(where: { $0.clock != first.clock }) {
            return .severalClocks(first: first.name, second: other.name)
        }
        var last: (buffer: String, now: BufferStatistics.Reading)?
        for statistics in options.statistics where holding.contains(where: { $0.name == statistics.buffer }) {
            guard let now = statistics.now else { continue }
            if let last, last.buffer != statistics.buffer, !now.isSoon(after: last.now) {
                return .severalClocks(first: last.buffer, second: statistics.buffer)
            }
            last = (statistics.buffer, now)
        }
        guard let last else { return nil }
        // A clock that is not stated is the kernel's default, `local`, unless there is a rate for it.
        let isStatedInNanoseconds = clockUnit.map { $0 == .nanoseconds } ?? (options.tscToNanoseconds == nil)
        let isInNanoseconds = if case .microseconds = last.now { true } else { false }
        return isInNanoseconds == isStatedInNanoseconds ? nil : .mistaken(buffer: last.buffer)
    }

    /// What its clock counts; nil where the file does not say.
    private var clockUnit: TraceClockUnit? { traceClock.map(TraceClockUnit.init(of:)) }

    /// TSC2NSEC, where the events are in cycles. A file of several instances can have it for one of them and hold
    /// events of another.
    package var cycleConversion: CycleConversion? { clockUnit == .nanoseconds ? nil : options.tscToNanoseconds }

    /// Its TSC2NSEC is the host's, and not its own machine's: who writes TIME_SHIFT writes it for shifted times
    /// (trace-cmd: `timestamp_calc`).
    fileprivate var tellsHostRate: Bool { !options.timeShifts.isEmpty }
}

extension BufferStatistics.Reading {
    /// Whether one clock can have said both, this one after the other: buffers are asked one after the other when the
    /// recording is over.
    ///
    /// The other way round by no more than clocks of CPUs differ, and a second later at the most: in cycles, of a TSC
    /// of 6 GHz.
    fileprivate func isSoon(after earlier: Self) -> Bool {
        switch (earlier, self) {
        case (.microseconds(let first), .microseconds(let second)):
            (-1000...1_000_000).contains(Int64(bitPattern: second &- first))
        case (.ticks(let first), .ticks(let second)):
            (-6_000_000...6_000_000_000).contains(Int64(bitPattern: second &- first))
        default: false
        }
    }
}

extension Machines {
    /// A clock that is stated has to be one that measures time.
    static func checkUnit(of file: TraceFile) throws(SessionFault) {
        if let clock = file.traceClock {
            switch TraceClockUnit(of: clock) {
            case .nanoseconds, .tsc: break
            case let unit: throw .clock(file: file.path, clock: clock, .unit(unit))
            }
        }
        if let flaw = file.clockContradiction {
            throw .clock(file: file.path, clock: file.traceClock ?? "not stated", flaw)
        }
    }

    /// How the host's raw times become ns: by its own file, or by a guest's where it counts cycles and does not say.
    ///
    /// A guest's file with a TIME_SHIFT tells the host's rate. Another one tells its own, which is the host's unless
    /// KVM scales it.
    static func conversion(
        _ host: TraceFile, _ guests: [TraceFile]
    ) throws(SessionFault) -> (CycleConversion?, rateGuest: Int?) {
        guard let clock = host.traceClock, TraceClockUnit(of: clock) == .tsc else { return (host.cycleConversion, nil) }
        if let own = host.options.tscToNanoseconds { return (own, nil) }
        // trace-cmd split leaves the options away, this one too, and writes times that it has converted.
        guard host.options.clock != nil else { throw .clock(file: host.path, clock: clock, .noRateAfterSplit) }
        let known = guests.indices.filter { guests[$0].cycleConversion != nil }
        guard let index = known.first(where: { guests[$0].tellsHostRate }) ?? known.first,
            let rate = guests[index].cycleConversion
        else { throw .clock(file: host.path, clock: clock, .noRate) }
        // An offset belongs to the counter it was taken from.
        let tellsHostRate = guests[index].tellsHostRate
        return (
            CycleConversion(multiplier: rate.multiplier, shift: rate.shift, offset: tellsHostRate ? rate.offset : 0),
            tellsHostRate ? nil : index
        )
    }

    /// A guest's raw times become the host's before they become ns, so both have to count the same.
    static func checkUnit(of guest: TraceFile, host: TraceFile, _ hostClock: CycleConversion?) throws(SessionFault) {
        guard let clock = guest.traceClock else { return }
        let isTSC = TraceClockUnit(of: clock) == .tsc
        guard isTSC != (hostClock != nil) else { return }
        throw .clock(file: guest.path, clock: clock, .otherUnit(host: host.path, hostClock: host.traceClock))
    }
}

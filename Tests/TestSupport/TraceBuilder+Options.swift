// Options: what a trace.dat file says of the machine and the recording.

extension TraceBuilder {
    struct Option {
        var id: UInt16
        var data: [UInt8]
    }

    /// One correction of a TIME_SHIFT option.
    package struct Shift {
        var time: UInt64
        var offset: Int64
        var scaling: UInt64
        var fractionBits: UInt64

        package init(at time: UInt64, offset: Int64, scaling: UInt64 = 1, fractionBits: UInt64 = 0) {
            self.time = time
            self.offset = offset
            self.scaling = scaling
            self.fractionBits = fractionBits
        }
    }

    /// Any option, known or not.
    package func option(_ id: UInt16, _ data: [UInt8]) {
        optionSections[optionSections.count - 1].append(Option(id: id, data: data))
    }

    /// What follows goes into another OPTIONS section; version 6 has only one.
    package func nextOptionsSection() { optionSections.append([]) }

    private func text(_ id: UInt16, _ text: String) { option(id, Array(text.utf8) + [0]) }

    private func numbers(_ id: UInt16, _ put: (inout [UInt8]) -> Void) {
        var data: [UInt8] = []
        put(&data)
        option(id, data)
    }

    /// TRACECLOCK: the clocks the kernel has, the one in use in brackets.
    package func clock(_ clock: String) { text(4, "local global mono [\(clock)]\n") }

    package func uname(_ uname: String) { text(5, uname) }
    package func fixedOffset(_ offset: Int64) { text(7, "\(offset)") }
    package func cpuCount(_ count: UInt32) { numbers(8) { $0.put(count) } }
    package func traceID(_ id: UInt64) { numbers(11) { $0.put(id) } }

    package func tscToNanoseconds(multiplier: UInt32, shift: UInt32, offset: UInt64 = 0) {
        numbers(14) {
            $0.put(multiplier)
            $0.put(shift)
            $0.put(offset)
        }
    }

    /// CPUSTAT: per_cpu/cpuN/stats.
    /// - Parameter now: the buffer's clock as it is printed; older kernels do not.
    package func statistics(cpu: Int, overrun: Int, dropped: Int, now: String? = nil) {
        text(
            2,
            "CPU: \(cpu)\nentries: 1\noverrun: \(overrun)\ncommit overrun: 0\nbytes: 9\n"
                + (now.map { "now ts: \($0)\n" } ?? "")
                + "dropped events: \(dropped)\nread events: 0\n")
    }

    /// CPUSTAT that names the instance whose counters follow.
    package func statistics(ofBuffer name: String) { text(2, "Buffer: \(name)\n\n") }

    /// GUEST: a guest recorded with this host, and the host threads that are its CPUs.
    package func guest(_ name: String, traceID: UInt64, threads: KeyValuePairs<UInt32, Int32>) {
        numbers(13) {
            $0.put(terminated: name)
            $0.put(traceID)
            $0.put(UInt32(threads.count))
            for (cpu, thread) in threads {
                $0.put(cpu)
                $0.put(thread)
            }
        }
    }

    /// TIME_SHIFT: how this guest's clock leads to the host's.
    /// - Parameter cpus: corrections of each CPU.
    /// - Parameter hasFractions: behind all CPUs stand the fraction bits of every correction, 8 bytes each, as
    ///   trace-cmd writes since version 3.0; trace-cmd.dat.v7(5) omits them.
    package func timeShift(peer: UInt64, cpus: [[Shift]], hasFractions: Bool = true, interpolates: Bool = false) {
        numbers(12) {
            $0.put(peer)
            $0.put(UInt32(interpolates ? 1 : 0))
            $0.put(UInt32(cpus.count))
            for shifts in cpus {
                $0.put(UInt32(shifts.count))
                for shift in shifts { $0.put(shift.time) }
                for shift in shifts { $0.put(shift.offset) }
                for shift in shifts { $0.put(shift.scaling) }
            }
            if hasFractions { for shift in cpus.joined() { $0.put(shift.fractionBits) } }
        }
    }
}

// bench-trace SOURCE-FOLDER OUT-FOLDER [EVENTS] makes a recording of host and guest: a short one, repeated until it is
// long enough to measure with.

import Glibc
import LinuxSystem
import TraceData

/// A recording that can't be repeated, in words.
struct Fault: Error {
    var text: String
}

@main
struct BenchTrace {
    static func main() {
        var arguments = CommandLine.arguments.dropFirst()
        if arguments.first == "--walk" {
            do { try Walk.run(Array(arguments.dropFirst())) } catch { fail("bench-trace: \(error)", status: 1) }
            return
        }
        guard let source = arguments.popFirst(), let output = arguments.popFirst(),
            let events = Int(arguments.popFirst() ?? "10000000"), events > 0, arguments.isEmpty
        else {
            fail("usage: bench-trace SOURCE-FOLDER OUT-FOLDER [EVENTS]", status: 64)
        }
        do {
            try run(from: source, to: output, events: events)
        } catch let fault as Fault {
            fail("bench-trace: \(fault.text)", status: 1)
        } catch {
            fail("bench-trace: \(error)", status: 1)
        }
    }

    static func fail(_ text: String, status: Int32) -> Never {
        var output = OutputStream(descriptor: STDERR_FILENO)
        try? output.write(text + "\n")
        try? output.flush()
        exit(status)
    }

    /// Prints what was made, for a shell to take in.
    static func run(from source: String, to output: String, events wanted: Int) throws {
        let host = try RecordedMachine(path: "\(source)/host.dat")
        let guest = try RecordedMachine(path: "\(source)/host-g3.dat", host: host)
        let events = host.events + guest.events
        let repetitions = max(1, (wanted + events / 2) / events)
        // One span keeps both in step; the 1/64 more keeps one repetition from running into the next.
        let first = min(host.times.lowerBound, guest.times.lowerBound)
        let last = max(host.times.upperBound, guest.times.upperBound)
        let span = (last - first) + (last - first) / 64
        try host.write(to: "\(output)/host.dat", repetitions: repetitions, span: span)
        try guest.write(to: "\(output)/guest-g3.dat", repetitions: repetitions, span: span)
        print("events=\(events * repetitions)")
        print("repetitions=\(repetitions)")
    }
}

// A clock map into a guest's trace.dat: the option TIME_SHIFT, by which trace-cmd and KernelShark put guest events on
// the host's axis.

package import ClockSync
import Glibc
internal import LinuxSystem

/// Stores TIME_SHIFT in files that are there already; whatever happens meanwhile, the file stays one that can be read.
///
/// trace-cmd (3.1.6) shifts a file's events whenever it holds the option, with or without the host's file beside it,
/// and whatever the peer's id. The last of several such options counts. A shifted time becomes ns by the guest file's
/// own TSC2NSEC.
package enum TimeShiftExport {
    typealias Fault = TraceFileError.Fault
    typealias Option = TraceFileWriter.Option

    /// Stores `shifts` in the guest's file at `path`; what was there of the kind no longer counts.
    /// - Parameters:
    ///   - shifts: one for each CPU of the guest, each with a sample at least. trace-cmd leaves events of CPUs behind
    ///     the last one alone.
    ///   - peer: trace id of the host's file.
    ///   - hostClock: TSC2NSEC of the host's file, nil when its clock counts ns; the guest's file gets the same.
    /// - Throws: `TraceFileError` naming the file and the place of the fault; the file's contents are what they were
    ///   then.
    package static func write(
        _ shifts: [TimeShift], peer: UInt64, hostClock: CycleConversion?, to path: String
    ) throws(TraceFileError) {
        // trace-cmd looks for a first sample without asking whether there is one.
        precondition(!shifts.isEmpty && !shifts.contains { $0.samples.isEmpty }, "a time shift without a sample")
        let file = try TraceFile(path: path)
        var options = [TraceFileWriter.timeShift(peer: peer, shifts)]
        // A conversion that the host does not have would turn host times into something else.
        let known = file.options.tscToNanoseconds
        if let conversion = hostClock ?? (known == nil ? nil : .nanoseconds), conversion != known {
            options.append(TraceFileWriter.tscToNanoseconds(conversion))
        }
        do throws(Fault) {
            // Opened for writing in any case: a file that is protected is not replaced either.
            let descriptor = unsafe open(path, O_RDWR | O_NONBLOCK | O_CLOEXEC)
            guard descriptor >= 0 else { throw .system(SystemError(call: "open")) }
            defer { close(descriptor) }
            if file.version == 7 {
                try append(options, to: file, descriptor)
            } else {
                try revision(of: file, with: options).replace(file, descriptor)
            }
        } catch {
            throw TraceFileError(file: path, fault: error)
        }
    }

    /// The options one behind the other, without the one that ends them.
    static func encoded(_ options: [Option]) -> [UInt8] {
        var bytes: [UInt8] = []
        for option in options {
            bytes.append(number: option.id)
            bytes.append(number: UInt32(option.data.count))
            bytes += option.data
        }
        return bytes
    }
}

/// A file with some of its bytes replaced by others, more or fewer.
struct Revision {
    /// In the order of the file, none inside another.
    private var edits: [(range: Range<Int>, bytes: [UInt8])] = []

    mutating func replace(_ range: Range<Int>, by bytes: [UInt8]) {
        edits.append((range, bytes))
        edits.sort { $0.range.lowerBound < $1.range.lowerBound }
    }

    /// Writes the file anew beside the old one, then gives it the old one's name.
    /// - Parameter descriptor: the old file.
    func replace(_ file: TraceFile, _ descriptor: Int32) throws(TraceFileError.Fault) {
        for (edit, next) in zip(edits, edits.dropFirst()) where next.range.lowerBound < edit.range.upperBound {
            throw .corrupt(
                section: "table of CPUs", offset: next.range.lowerBound, fact: "a table inside another part of the file"
            )
        }
        do throws(SystemError) {
            // What a link leads to is replaced, not the link.
            guard let resolved = unsafe realpath(file.path, nil) else { throw SystemError(call: "realpath") }
            defer { unsafe free(resolved) }
            let path = unsafe String(cString: resolved)
            var output = try OutputFile(path: path)
            var place = 0
            for edit in edits {
                try copy(file.mapping, place..<edit.range.lowerBound, &output)
                try output.stream.write(bytes: edit.bytes)
                place = edit.range.upperBound
            }
            let end = unsafe file.mapping.bytes.count
            try copy(file.mapping, place..<end, &output)
            try output.settle(like: descriptor)
            try output.commit()
        } catch {
            throw .system(error)
        }
    }

    private func copy(_ mapping: MappedFile, _ range: Range<Int>, _ output: inout OutputFile) throws(SystemError) {
        mapping.willReadSequentially(range)
        for start in stride(from: range.lowerBound, to: range.upperBound, by: 1 << 20) {
            try unsafe output.stream.write(bytes: mapping.bytes[start..<min(range.upperBound, start + 1 << 20)])
        }
    }
}
